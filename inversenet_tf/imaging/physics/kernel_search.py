"""The search for the kernel of blurred images of which nothing else is known.

Two methods work together. Maximum a posteriori estimation with sparse gradients, from coarse to
fine (Xu, Zheng and Jia 2013), proposes kernels: the image and the kernel are improved alternately,
and one kernel serves all images. As it depends on how sparse the gradients are assumed to be, it is
run with several settings. The marginal likelihood of the gradients under a sparse prior, which
accounts for their uncertainty (Wipf and Zhang 2014), then decides which proposal explains the
images best, "no blur" being one of them. It needs no ground truth, and unlike the first method it
does not favour explaining a blurred image by a blurred scene.
"""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from inversenet_tf.imaging.physics.blur_model import (
    LUMA_NOISE,
    Measured,
    correlations,
    noise_beside_blur,
    sparse_estimate,
)
from inversenet_tf.imaging.physics.kernel_least_squares import non_negative_least_squares
from inversenet_tf.imaging.physics.kernel_shape import (
    centred,
    cleaned,
    odd,
    reaches_border,
    resized,
    similarity,
)
from inversenet_tf.imaging.physics.kernels import disk, gaussian, line
from inversenet_tf.imaging.physics.marginal_likelihood import marginal_cost, marginal_costs
from inversenet_tf.imaging.physics.noise import ROUNDING_SIGMA
from inversenet_tf.imaging.physics.threads import a_thread_for_each_core

SIZES = (27, 43)  # sides of the kernels sought: the second if the first was too small
SMALLEST_SIZE = 5  # side of the kernel at the coarsest scale
ROUNDS = 5  # alternations of image and kernel at each scale
LAST_ROUNDS = 8  # at the finest scale
# Initial weights of the number of nonzero gradients (the larger, the stronger an edge must be at
# first), and the factors from one scale to the next coarser one. Which are best depends on the
# images, so all are tried.
SEARCHES = ((0.004, 0.7), (0.01, 0.7), (0.02, 0.7), (0.04, 0.7), (0.01, 0.6), (0.02, 0.6))
SPARSITY_DECAY = 1.1  # from round to round
REFINEMENT = np.geomspace(1e-3, 1e-5, 16)  # weights of the last rounds, for the best proposal
RIDGE = 1e-3  # of the kernel's least squares, relative to the gradients' energy
LEAST_ENERGY = 1e-6  # of the gradients within the frame, below which they tell nothing
NEGLIGIBLE = 0.05, 0.02  # of a kernel's greatest value: for proposals, and for refined kernels
GAUSSIANS = (0.5, 0.8, 1.2, 1.8, 2.6, 3.6, 5.0)  # standard deviations
DISKS = (1.5, 2.5, 4.0, 6.0, 9.0)  # radii
LINES = (5, 9, 14, 20, 26)  # lengths
ANGLES = np.arange(12) * np.pi / 12
SHAPES_KEPT = 3
FAVOURITES = 2  # proposals that are refined
# A kernel is plausible beside the best if it loses at most this part of the best one's gain in
# likelihood over no blur. The likelihood itself would leave only the best one, as it treats
# neighbouring pixels as independent.
PLAUSIBLE_LOSS = 0.1
LUMA_ROUNDING = ROUNDING_SIGMA * np.sqrt(LUMA_NOISE)  # noise of storage in 8 bits


class Answer(NamedTuple):
    """The result of a search.

    Attributes:
        kernels: the plausible ones, [side, side], the best first.
        gain: of the best one over no blur, in log likelihood per pixel, or per value by an image
            model.
        agreement: from 0 to 1, similarity of independent searches to the best one; by an image
            model, to each other.
        noise: standard deviation of the noise in the luma.
        candidates: the refined kernels and the likeliest shape.
        searches: the result of each independent search.
        share: from 0 to 1, of the best one among all answers that explain the images, if known.
        local_gain: the gain in `local_cost`, which is twice the log likelihood per pixel; infinite
            if not computed.
    """

    kernels: list[np.ndarray]
    gain: float
    agreement: float
    noise: float
    candidates: Sequence[np.ndarray] = ()
    searches: Sequence[np.ndarray] = ()
    share: float = 1.0
    local_gain: float = np.inf


def search_kernel(
    measured: Measured, few: Measured, largest: int, told: Callable[[float], None]
) -> Answer:
    """Finds the kernel that explains blurred images best, of the first size that it does not fill.

    Args:
        measured: the images.
        few: so few of their pixels that a great many kernels can be tried.
        largest: greatest side in pixels that the kernel may have.
        told: called with the fraction of the work that is done.
    """
    most = min(largest, min(measured.images.shape[1:]) // 2)  # a larger blur leaves too little
    sizes = [size for size in SIZES if size <= most] or [odd(most)]
    for i, size in enumerate(sizes):
        answer = _search(measured, few, size, lambda share, i=i: told((i + share) / len(sizes)))
        if not reaches_border(answer.kernels[0]):
            break
    told(1.0)
    return answer


def independent_searches(measured: Measured, size: int) -> list[np.ndarray]:
    """The results of independent searches: [size, size] for each of `SEARCHES`."""
    with a_thread_for_each_core() as pool:
        return list(pool.map(lambda search: _propose(measured, size, *search), SEARCHES))


def _search(measured, few, size, told):
    """The `Answer` for kernels of a size."""
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1.0
    with a_thread_for_each_core() as pool:
        searches = [pool.submit(_propose, measured, size, *search) for search in SEARCHES]
        shapes = pool.submit(_likeliest_shapes, few, size)
        for i, _ in enumerate(concurrent.futures.as_completed(searches)):
            told((i + 1) / (len(SEARCHES) + 2))
        shapes, searches = shapes.result(), [search.result() for search in searches]
        proposals = [point, *shapes, *searches]
        costs = _costs_of(pool, measured, proposals)
        best = int(np.argmin(costs))
        if best == 0:
            found = {"candidates": shapes[:1], "searches": searches}
            return Answer([point], gain=0.0, agreement=0.0, noise=measured.noise, **found)
        # The noise was estimated before the blur was known, and rather too high if it is weak: now
        # it is measured at the frequencies where the blur leaves nothing else.
        order = [i for i in np.argsort(costs) if i > 0]
        favourites = [proposals[i] for i in order[:FAVOURITES] if costs[i] < costs[0]]
        others = [proposals[i] for i in order[len(favourites) :] if _is_near(costs, i)]
        noise = min(noise_beside_blur(measured, favourites[0]), measured.noise)
        measured = dataclasses.replace(measured, noise=max(noise, LUMA_ROUNDING))
        refined = list(pool.map(lambda kernel: _refine(measured, kernel), favourites))
        kernels = [point, *favourites, *refined, *others]
        costs = _costs_of(pool, measured, kernels)
    best = 1 + int(np.argmin(costs[1 : 1 + 2 * len(favourites)]))
    near = [i for i in np.argsort(costs) if i not in (0, best) and _is_near(costs, i, best)]
    plausible = [centred(kernels[best]), *(kernels[i] for i in near)]
    return Answer(
        plausible,
        gain=costs[0] - costs[best],
        agreement=_agreement(kernels[best], shapes, searches),
        noise=measured.noise,
        candidates=[*refined, shapes[0]],
        searches=searches,
    )


def _agreement(kernel, shapes, searches):
    """The similarity of a kernel to the second nearest of the independent searches.

    If the kernel is nearest to a parametric shape, which the searches easily miss, the other shapes
    count as well.
    """
    of_searches, of_shapes = (
        sorted(similarity(kernel, other) for other in others) for others in (searches, shapes)
    )
    if of_shapes[-1] > of_searches[-1]:
        return sorted(of_searches + of_shapes)[-2]
    return of_searches[-2]


def _is_near(costs, place, best=None):
    """Whether a kernel gains nearly as much over no blur, which is the first, as the best one."""
    gains = costs[0] - np.array(costs)
    return gains[place] >= (1 - PLAUSIBLE_LOSS) * (gains.max() if best is None else gains[best])


def _costs_of(pool, measured, kernels):
    """The marginal cost of each kernel."""
    return list(pool.map(lambda kernel: marginal_cost(measured, kernel), kernels))


def _likeliest_shapes(measured, size):
    """The best few parametric kernels: Gaussians, disks and lines."""
    shapes = [gaussian(size, sigma) for sigma in GAUSSIANS if sigma < size / 5]
    shapes += [disk(size, radius) for radius in DISKS if radius < size / 2]
    lengths = [length for length in LINES if length < size]
    shapes += [line(size, length, angle) for length in lengths for angle in ANGLES]
    costs = marginal_costs(measured, shapes)
    return [shapes[i] for i in np.argsort(costs)[:SHAPES_KEPT]]


def _propose(measured, size, sparsity, step):
    """Improves kernel and image alternately, from coarse to fine."""
    sizes = [size]
    while sizes[-1] > SMALLEST_SIZE:
        sizes.append(odd(int(np.ceil(sizes[-1] * step))))
    kernel = np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0]]) / 3
    for side in reversed(sizes):
        scaled = measured.scaled(side / size)
        kernel = centred(resized(kernel, side))
        for _ in range(LAST_ROUNDS if side == size else ROUNDS):
            kernel = _improved(scaled, kernel, sparsity, NEGLIGIBLE[0])
            sparsity = max(sparsity / SPARSITY_DECAY, 1e-4)
    return kernel


def _refine(measured, kernel):
    """Improves a kernel by more rounds at the full size, with weaker and weaker edges."""
    for sparsity in REFINEMENT:
        kernel = _improved(measured, kernel, sparsity, NEGLIGIBLE[1])
    return kernel


def _improved(measured, kernel, sparsity, negligible):
    """One round: estimates the image given the kernel, then the kernel given the gradients."""
    gradients = sparse_estimate(measured, kernel, sparsity)
    autocorrelation, target = correlations(measured, gradients, len(kernel))
    middle = len(kernel) - 1
    if autocorrelation[middle, middle] < LEAST_ENERGY:
        return kernel
    autocorrelation[middle, middle] *= 1 + RIDGE
    better = non_negative_least_squares(autocorrelation, target, kernel)
    return cleaned(better, negligible) if better.sum() > 0 else kernel
