"""A second judgement of the kernels that a search proposes for photographs.

The search compares its kernels by the marginal likelihood of the gradients, which often takes a
kernel with holes in it for likelier than the true one. The local likelihood takes more time and
does so less. Besides the kernels themselves it compares means of the likeliest that are alike: what
is noise in a kernel differs from search to search, and the mean has less of it.
"""

import dataclasses

import numpy as np

from inversenet_tf.imaging.physics.blur_model import Measured
from inversenet_tf.imaging.physics.kernel_search import Answer
from inversenet_tf.imaging.physics.kernel_shape import centred, similarity, upon_the_first
from inversenet_tf.imaging.physics.local_likelihood import local_cost
from inversenet_tf.imaging.physics.threads import a_thread_for_each_core

ALIKE = 0.8  # similarity to the likeliest kernel from which others join the mean
SAME = 0.999  # above which two kernels are one
AVERAGED = (2, 3, 5)  # kernels, the likeliest, that means are taken of


def second_opinion(measured: Measured, answer: Answer) -> Answer:
    """The answer of a search with the kernel that the local likelihood prefers.

    Args:
        measured: the photographs.
        answer: of the search.

    Returns:
        The answer, the preferred kernel the first of its kernels, with `local_gain`. Where that is
        another kernel than before, so is the agreement, and only what is like it stays plausible.
    """
    measured = dataclasses.replace(measured, noise=answer.noise)
    first = answer.kernels[0]
    proposed = (*answer.candidates, *answer.searches)
    others = [kernel for kernel in proposed if similarity(first, kernel) < SAME]
    candidates = [first, *others]
    with a_thread_for_each_core() as pool:

        def costs_of(kernels):
            return list(pool.map(lambda kernel: local_cost(measured, kernel), kernels))

        sharp, *costs = costs_of([np.ones((1, 1)), *candidates])
        means = _means([candidates[i] for i in np.argsort(costs)])
        candidates, costs = candidates + means, costs + costs_of(means)
    best = int(np.argmin(costs))
    answer = answer._replace(local_gain=sharp - costs[best])
    if best == 0:
        return answer
    kernel = centred(candidates[best])
    nearest = sorted(similarity(kernel, search) for search in answer.searches)
    alike = [other for other in answer.kernels if similarity(kernel, other) >= ALIKE]
    return answer._replace(kernels=[kernel, *alike], agreement=nearest[-2])


def _means(kernels):
    """Of the first few that are like the first, of its side."""
    first, *others = kernels
    alike = [first, *(kernel for kernel in others if similarity(first, kernel) >= ALIKE)]
    counts = [count for count in AVERAGED if count <= len(alike)]
    moved = upon_the_first(alike)
    means = [np.mean(moved[:count], axis=0) for count in counts]
    reach = (len(first) - len(moved[0])) // 2
    return [np.pad(mean / mean.sum(), reach) for mean in means]
