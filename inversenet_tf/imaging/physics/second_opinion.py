"""A second judgement of the kernels that a search proposes for photographs.

The search compares its kernels by the marginal likelihood of the gradients, which often prefers a
kernel with holes to the true one. The local likelihood takes more time but does so less often.
Besides the kernels themselves, means of the likeliest similar ones are compared: the noise in a
kernel differs from search to search, and averaging reduces it.
"""

import dataclasses

import numpy as np

from inversenet_tf.imaging.physics.blur_model import Measured
from inversenet_tf.imaging.physics.kernel_search import Answer
from inversenet_tf.imaging.physics.kernel_shape import centred, similarity, upon_the_first
from inversenet_tf.imaging.physics.local_likelihood import local_cost
from inversenet_tf.imaging.physics.threads import a_thread_for_each_core

ALIKE = 0.8  # similarity to the likeliest kernel from which others join the mean
SAME = 0.999  # similarity from which two kernels count as one
AVERAGED = (2, 3, 5)  # numbers of the likeliest kernels that are averaged


def second_opinion(measured: Measured, answer: Answer) -> Answer:
    """Revises the answer of a search by the local likelihood.

    Args:
        measured: the photographs.
        answer: of the search.

    Returns:
        The answer with its `local_gain` and the preferred kernel as the first of its kernels. If
        that is a new one, the agreement is recomputed, and only kernels like it stay plausible.
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
    """Means of the first few kernels that are like the first, each of its side."""
    first, *others = kernels
    alike = [first, *(kernel for kernel in others if similarity(first, kernel) >= ALIKE)]
    counts = [count for count in AVERAGED if count <= len(alike)]
    moved = upon_the_first(alike)
    means = [np.mean(moved[:count], axis=0) for count in counts]
    reach = (len(first) - len(moved[0])) // 2
    return [np.pad(mean / mean.sum(), reach) for mean in means]
