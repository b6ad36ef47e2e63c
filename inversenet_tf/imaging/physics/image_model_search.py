"""The kernel that explains measurements best, given what sharp images of their class look like.

The likelihood of `class_likelihood` is maximised over the kernel. It has many maxima, so the search
begins with thousands of random paths of a camera, see `kernel_screening`, from two independent
seeds. The likeliest are improved as paths, from coarse to fine; and so are bells, which no path
draws, as free kernels. In the end all pixels beside a kernel are free, with a prior that prefers
kernels of few pixels.
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
from inversenet_tf.imaging.physics.kernel_shape import cleaned, similarity, upon_the_first
from inversenet_tf.imaging.physics.kernels import gaussian

# Fractions of the frequencies, the model's components (of the first colour, of each other; None for
# all), the paths of each seed and the bells that are kept there, and the steps at most.
SCALES = (
    (0.4, (60, 20), 8, 4, 30),
    (0.7, (120, 40), 2, 1, 30),
    (1.0, None, 1, 1, 40),
)
SCREENED_AT = 0.35, (40, 15)  # fraction and components
SEEDS = (0, 1)  # of independent screenings, whose agreement is reported
SCREENED_IMAGES = 2  # of several that share the blur
SPARSITY = 20.0  # weight of the prior, sum sqrt(kernel + OFFSET)
LAST_STEPS = 40  # when only pixels beside those of the kernel may join it
LARGEST_SHIFT = 2  # pixels
NEGLIGIBLE = 0.05, 0.02  # of the greatest value: before and after the last improvement
SOFTENING = 0.5  # pixels, of paths, which the pixels beside them are then free to join
BELLS = (1.5, 2.5, 4.0, 6.0)  # standard deviations of first kernels, in pixels
OFFSET = 1e-3
SUM_WEIGHT = 1e3  # that keeps the sum of a kernel at 1, on which nothing else depends
MEMORY = 20  # steps that the optimiser remembers


def improved_path(observed: Observed, path: np.ndarray, side: int, steps: int):
    """A path of a camera whose kernel explains the measurements better.

    Args:
        observed: the measurements.
        path: [2, COSINES], to begin with.
        side: odd, of the kernel.
        steps: at most.

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
        options={"maxiter": steps, "maxcor": MEMORY},
    )
    return end.x.reshape(path.shape), float(end.fun)


def improved(
    observed: Observed,
    kernel: np.ndarray,
    steps: int,
    sparsity: float,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """A kernel that explains the measurements better.

    Args:
        observed: the measurements.
        kernel: [side, side], to begin with.
        steps: at most.
        sparsity: weight of the prior.
        allowed: bool [side, side], the pixels that may be other than zero; None for all.

    Returns:
        (kernel, its cost with that of the prior).
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
        gradient = gradient + sparsity / 2 / roots
        gradient = (gradient - (gradient * scaled).sum()) / mass
        cost += sparsity * roots.sum() + SUM_WEIGHT * (mass - 1) ** 2
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


# The matrices are small: beside other work, two threads of BLAS took ten times as long as one.
@threadpoolctl.threadpool_limits.wrap(1, "blas")
def search_with_model(
    model: ImageModel,
    images: np.ndarray,
    noise: float,
    size: int,
    *,
    proposals: Sequence[np.ndarray] = (),
    told: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, float, float]:
    """The kernel that explains circular images best, by an image model.

    Args:
        model: of sharp images framed as these are.
        images: [batch, height, width, channels] in [0, 1], which share the blur.
        noise: its standard deviation, of white as 1.
        size: odd, of the kernel.
        proposals: kernels [side, side], side odd, that were found otherwise.
        told: called with the fraction of the work that is done.

    Returns:
        (kernel [side, side]; its gain over no blur in log likelihood a value of the images; how
        similar the kernels became that two independent screenings led to, 1 for the same).
    """
    observed, drawn_kernels, bell = _coarse_to_fine(model, images, noise, size=size, told=told)
    own = [*(gaussian_filter(kernel, SOFTENING) for kernel in drawn_kernels), bell]
    # Other searches do not know the place of their kernel; but this one's own may be a poor one.
    places = [*proposals, *(_moved_upon(own[0], proposal) for proposal in proposals)]
    placed = [_best_placed(observed, proposal) for proposal in places]
    # Proposals, as they may be wide, are not cleaned before.
    starts = [*(cleaned(kernel, NEGLIGIBLE[0]) for kernel in own), *placed]
    finals = [_finished(observed, kernel) for kernel in starts]
    costs = [cost_and_gradient(observed, kernel)[0] for kernel in finals]
    best = int(np.argmin(costs))
    gain = cost_and_gradient(observed, np.ones((1, 1)))[0] - costs[best]
    return finals[best], gain / 2 / images.size, similarity(*drawn_kernels[:2])


def _coarse_to_fine(model, images, noise, *, size, told):
    """(measurements at full resolution, a kernel of each seed, the likeliest first, a bell's)."""
    few = images[:SCREENED_IMAGES]
    screened = Observed.of(model, few, noise, *SCREENED_AT)
    at_once = [likeliest_paths(screened, size, SCALES[0][2], seed) for seed in SEEDS]
    bells = [gaussian(size, sigma) for sigma in BELLS]
    for number, (fraction, components, kept, kept_bells, steps) in enumerate(SCALES):
        observed = Observed.of(model, images, noise, fraction, components)
        ranked = [
            sorted(
                (improved_path(observed, path, size, steps) for path in paths[:kept]),
                key=itemgetter(1),
            )
            for paths in at_once
        ]
        at_once = [[path for path, _ in paths] for paths in ranked]
        free = (improved(observed, bell, steps, SPARSITY) for bell in bells[:kept_bells])
        bells = [bell for bell, _ in sorted(free, key=itemgetter(1))]
        told((number + 1) / len(SCALES))
    firsts = [paths[0][0] for paths in sorted(ranked, key=lambda paths: paths[0][1])]
    return observed, list(drawn(np.stack(firsts), size)), bells[0]


def _moved_upon(kernel, proposal):
    """A proposal at the place of a kernel."""
    side = max(len(kernel), len(proposal))
    padded = [np.pad(one, (side - len(one)) // 2) for one in (kernel, proposal)]
    return upon_the_first(padded)[1]


def _finished(observed, kernel):
    """A kernel, improved where it is and right beside it."""
    beside = binary_dilation(kernel > 0, np.ones((3, 3)))
    kernel, _ = improved(observed, kernel, LAST_STEPS, SPARSITY, beside)
    return cleaned(kernel, NEGLIGIBLE[1])


def _best_placed(observed, kernel):
    """A kernel, moved by a few pixels to where it explains the measurements best."""
    shifts = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
    moved = [np.roll(kernel, (down, right), (0, 1)) for down in shifts for right in shifts]
    return min(moved, key=lambda one: cost_and_gradient(observed, one)[0])
