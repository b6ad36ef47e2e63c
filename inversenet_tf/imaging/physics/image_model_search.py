"""The search for the kernel of measurements, given a model of the sharp images of their class.

The likelihood of `class_likelihood` is maximised over the kernel. It has many maxima, so the search
begins by screening thousands of random camera paths, see `kernel_screening`, from two independent
seeds. The likeliest are improved as paths on the low frequencies. Then every pixel of their kernels
is optimised, and of the likeliest Gaussian, which no path draws; a prior prefers kernels of few
pixels.

How far to trust the result depends on the other kernels found on the way. They are weighted by
their likelihoods to a power far below 1, as no class is exactly Gaussian. That power, and how often
a kernel without such rivals is right, were chosen on images with known kernels.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np
import scipy.optimize
import threadpoolctl
from scipy.ndimage import binary_dilation, gaussian_filter

from inversenet_tf.imaging.physics.camera_paths import drawn, gradient_by_path
from inversenet_tf.imaging.physics.class_likelihood import Observed, cost_and_gradient
from inversenet_tf.imaging.physics.image_model import ImageModel
from inversenet_tf.imaging.physics.kernel_screening import likeliest_paths
from inversenet_tf.imaging.physics.kernel_shape import (
    cleaned,
    similarity,
    upon_the_first,
)
from inversenet_tf.imaging.physics.kernels import gaussian

# Fraction of the frequencies, and the number of the model's components that are kept of the first
# colour and of each other one.
SCREENED = 0.35, (40, 15)
COARSE = 0.4, (60, 20)
MIDDLE = 0.7, (120, 40)
PATHS = 24, 8  # of each seed: improved as paths, and of those the kernels whose pixels are freed
STEPS = 30  # of each improvement, at most
SEEDS = 0, 1  # of independent screenings, whose agreement is reported
FULL_EFFORT = 3  # images sharing the blur; if there are more, FEWER_PATHS suffice
FEWER_PATHS = 2, 1
SCREENED_IMAGES = 2  # at most, of several sharing the blur; with two, half as many paths are drawn
SPARSITY = 20.0  # weight of the prior, sum sqrt(kernel + OFFSET)
KEPT = 3  # kernels that are improved on all frequencies
ALIKE = 0.9  # similarity from which on only the likelier of two kernels is kept
LAST_STEPS = 40  # when only the kernel's pixels and their neighbours are free
LARGEST_SHIFT = 2  # pixels
NEGLIGIBLE = 0.05, 0.02  # of the greatest value: before and after the last improvement
SOFTENING = 0.5  # pixels, blur of a path's kernel, so that the pixels beside it can join
GAUSSIANS = (1.5, 2.5, 4.0, 6.0)  # standard deviations, in pixels, of kernels that no path draws
OFFSET = 1e-3
SUM_WEIGHT = 1e3  # of the penalty that keeps a kernel's sum at 1, on which nothing else depends
MEMORY = 20  # steps that the optimiser remembers
DISTINCT = 0.85  # similarity below which kernels count as different answers
TEMPERATURE = 10.0  # divides differences of log likelihood in the weights of the answers
# How often the kernel of a single image was right if it was the only answer: of 28 faces, see
# docs/unknown_blur.md. Several images are more certain.
MOST_TRUSTED = 0.84


def improved_path(observed: Observed, path: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Improves a camera path so that its kernel explains the measurements better.

    Args:
        observed: the measurements.
        path: [2, COSINES], to start from.
        side: odd side of the kernel.

    Returns:
        (path, the cost of its kernel).
    """

    def objective(values):
        (kernel,) = drawn(values.reshape(1, *path.shape), side)
        cost, gradient = cost_and_gradient(observed, kernel)
        return cost, gradient_by_path(values.reshape(path.shape), gradient).ravel()

    end = scipy.optimize.minimize(
        objective,
        path.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "maxcor": MEMORY},
    )
    return end.x.reshape(path.shape), float(end.fun)


def improved(
    observed: Observed, kernel: np.ndarray, steps: int, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Improves a kernel, pixel by pixel, so that it explains the measurements better.

    Args:
        observed: the measurements.
        kernel: [side, side], to start from.
        steps: greatest number of steps.
        allowed: bool [side, side], the pixels that may be nonzero; None for all.

    Returns:
        (kernel, its cost including that of the prior).
    """
    if allowed is None:
        allowed = np.ones(kernel.shape, bool)

    def of_values(values):
        full = np.zeros(kernel.shape)
        full[allowed] = values
        return full

    def objective(values):
        values = of_values(values)
        mass = values.sum() + 1e-9
        scaled = values / mass
        cost, gradient = cost_and_gradient(observed, scaled)
        roots = np.sqrt(scaled + OFFSET)
        gradient = gradient + SPARSITY / 2 / roots
        gradient = (gradient - (gradient * scaled).sum()) / mass
        cost += SPARSITY * roots.sum() + SUM_WEIGHT * (mass - 1) ** 2
        return cost, (gradient + 2 * SUM_WEIGHT * (mass - 1))[allowed]

    end = scipy.optimize.minimize(
        objective,
        kernel[allowed],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * np.count_nonzero(allowed),
        options={"maxiter": steps, "maxcor": MEMORY},
    )
    better = of_values(end.x)
    return better / better.sum(), float(end.fun)


# The matrices are small: on a busy machine two threads of BLAS took ten times as long as one.
@threadpoolctl.threadpool_limits.wrap(1, "blas")
def search_with_model(
    model: ImageModel,
    images: np.ndarray,
    noise: float,
    size: int,
    *,
    proposals: Sequence[np.ndarray] = (),
    told: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, float, float, float]:
    """Finds the kernel that explains circular images best, given an image model.

    Args:
        model: of sharp images framed as these are.
        images: [batch, height, width, channels] in [0, 1], which share the blur.
        noise: standard deviation of the noise, with white as 1.
        size: odd side of the kernel.
        proposals: kernels [side, side], side odd, that were found otherwise.
        told: called with the fraction of the work that is done.

    Returns:
        (kernel [side, side]; its gain over no blur in log likelihood per value of the images; the
        similarity of the kernels from two independent screenings, 1 for the same; its share among
        all answers, from 0 to 1).
    """
    middle = Observed.of(model, images, noise, *MIDDLE)
    freed = _freed(model, images, middle, size=size, told=told)
    agreement = similarity(freed[0][0][0], freed[1][0][0])
    observed = Observed.of(model, images, noise)
    finer = [improved(observed, kernel, STEPS) for kernel in _likeliest(sum(freed, []))]
    own, _ = min(finer, key=itemgetter(1))
    # Other searches cannot tell the position of their kernel, so it is also tried at that of this
    # search's own, which may itself be poor.
    places = [*proposals, *(_moved_upon(own, proposal) for proposal in proposals)]
    placed = [_best_placed(middle, proposal) for proposal in places]
    # Proposals are not cleaned first, as they may be wide.
    finals = [_finished(observed, kernel) for kernel in (cleaned(own, NEGLIGIBLE[0]), *placed)]
    costs = [cost_and_gradient(observed, kernel)[0] for kernel in finals]
    likeliest = int(np.argmin(costs))
    gain = cost_and_gradient(observed, np.ones((1, 1)))[0] - costs[likeliest]
    share = _weight_of(finals[likeliest], sum(freed, []))
    if len(images) == 1:
        share *= MOST_TRUSTED
    told(1.0)
    return finals[likeliest], gain / 2 / images.size, agreement, share


def _weight_of(kernel, pairs):
    """The share that the answers like a kernel have in the weights of all answers.

    Args:
        kernel: [side, side].
        pairs: (kernel, cost) found by the search; of similar ones only the likeliest counts.
    """
    answers = _different(pairs, DISTINCT)
    costs = np.array([cost for _, cost in answers])
    weights = np.exp((costs.min() - costs) / 2 / TEMPERATURE)
    likenesses = np.array([similarity(*_of_one_size(kernel, other)) for other, _ in answers])
    alike = likenesses >= min(DISTINCT, likenesses.max())
    return float(weights[alike].sum() / weights.sum())


def _freed(model, images, middle, *, size, told):
    """Optimises every pixel of the kernels of each seed's best paths, and of the best Gaussian.

    Returns:
        For each seed, and last for the Gaussian, [(kernel, its cost)] on the middle frequencies,
        the likeliest first.
    """
    few = images[:SCREENED_IMAGES]
    screened = Observed.of(model, few, middle.noise, *SCREENED)
    coarse = Observed.of(model, images, middle.noise, *COARSE)
    count, kept = PATHS if len(images) <= FULL_EFFORT else FEWER_PATHS
    starts = []
    for number, seed in enumerate(SEEDS):
        paths = likeliest_paths(screened, size, count, seed, share=1 / len(few))
        better = _sorted(improved_path(coarse, path, size) for path in paths)
        kernels = drawn(np.stack([path for path, _ in better[:kept]]), size)
        starts.append([gaussian_filter(kernel, SOFTENING) for kernel in kernels])
        told((number + 1) / (len(SEEDS) + 1))
    gaussians = _sorted(improved(coarse, gaussian(size, sigma), STEPS) for sigma in GAUSSIANS)
    starts.append([gaussians[0][0]])
    return [_sorted(improved(middle, one, STEPS) for one in kernels) for kernels in starts]


def _sorted(pairs):
    """Pairs (kernel or path, cost), the likeliest first."""
    return sorted(pairs, key=itemgetter(1))


def _likeliest(pairs):
    """The few likeliest kernels of pairs (kernel, cost), no two of them alike."""
    return [kernel for kernel, _ in _different(pairs, ALIKE)[:KEPT]]


def _different(pairs, alike):
    """Pairs (kernel, cost), the likeliest first, without those like a likelier one."""
    kept = []
    for kernel, cost in _sorted(pairs):
        if all(similarity(kernel, other) < alike for other, _ in kept):
            kept.append((kernel, cost))
    return kept


def _of_one_size(*kernels):
    """Kernels, the smaller ones padded with zeros to the size of the largest."""
    side = max(len(kernel) for kernel in kernels)
    return [np.pad(kernel, (side - len(kernel)) // 2) for kernel in kernels]


def _moved_upon(kernel, proposal):
    """A proposal moved to where it correlates most with a kernel."""
    return upon_the_first(_of_one_size(kernel, proposal))[1]


def _finished(observed, kernel):
    """A kernel, improved in its own pixels and their neighbours."""
    beside = binary_dilation(kernel > 0, np.ones((3, 3)))
    kernel, _ = improved(observed, kernel, LAST_STEPS, beside)
    return cleaned(kernel, NEGLIGIBLE[1])


def _best_placed(observed, kernel):
    """A kernel, moved by a few pixels to where it explains the measurements best."""
    shifts = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
    moved = [np.roll(kernel, (down, right), (0, 1)) for down in shifts for right in shifts]
    return min(moved, key=lambda one: cost_and_gradient(observed, one)[0])
