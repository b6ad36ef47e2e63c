"""The kernel that explains measurements best, given what sharp images of their class look like.

With the Gaussian distribution of an `ImageModel` the sharp images can be integrated out in closed
form: measurements y = k * x + n are Gaussian, too, with the mean k * mean and a covariance of low
rank beside a spectrum. Their likelihood is maximised over the kernel, from coarse to fine, together
with a prior that prefers kernels of few pixels. By Fisher's identity the gradient only needs the
posterior mean and variance of the sharp images.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.optimize
import threadpoolctl
from scipy.ndimage import binary_dilation, gaussian_filter

from inversenet_tf.imaging.physics.blur_model import transfer_of
from inversenet_tf.imaging.physics.image_model import ImageModel, multiplicities
from inversenet_tf.imaging.physics.kernel_shape import (
    cleaned,
    odd,
    resized,
    similarity,
    upon_the_first,
)
from inversenet_tf.imaging.physics.kernels import camera_shake, gaussian, line, normalised

# Shares of the full resolution, the kernels that are kept there, the steps at most, and the weight
# of the prior, sum sqrt(kernel + OFFSET).
SCALES = (
    (0.4, 16, 30, 10.0),
    (0.55, 8, 30, 20.0),
    (0.75, 4, 30, 20.0),
    (1.0, 2, 40, 20.0),
)
LAST_STEPS, LAST_SPARSITY = 40, 20.0  # when only pixels beside those of the kernel may join it
LARGEST_SHIFT = 2  # pixels of the scale
NEGLIGIBLE = 0.05, 0.02  # of the greatest value: before and after the last improvement
SMALLEST_SIDE = 5  # of the kernel at the coarsest scale
BELLS = (0.5, 0.8, 1.3, 2.0)  # standard deviations of first kernels, in pixels of that scale
LINES = np.arange(4) * np.pi / 4  # directions of others
LINE_LENGTH = 4.5
SHAKES = 8  # random trajectories
SHAKE_SIZES = (1.0, 0.67, 0.5)  # of the kernel's side, in turns
OFFSET = 1e-3
SUM_WEIGHT = 1e3  # that keeps the sum of a kernel at 1, on which nothing else depends
MEMORY = 20  # steps that the optimiser remembers


@dataclasses.dataclass(frozen=True, eq=False)
class Observed:
    """Measurements of a class of images, at some scale.

    Attributes:
        shape: (height, width) of that scale.
        spectra: of each colour [batch, frequencies], flat.
        means, powers: of each colour's model, [frequencies].
        factors: of each colour's model [2 * frequencies, components], real parts above imaginary
            ones, weighted so that their products are those of the full transforms.
        noise: standard deviation.
    """

    shape: tuple[int, int]
    spectra: list[np.ndarray]
    means: list[np.ndarray]
    powers: list[np.ndarray]
    factors: list[np.ndarray]
    noise: float

    @classmethod
    def of(
        cls, model: ImageModel, images: np.ndarray, noise: float, fraction: float = 1.0
    ) -> "Observed":
        """Of circular images [batch, height, width, channels], their lowest frequencies."""
        full = model.shape[:2]
        # An odd number of frequencies has no highest one, which would stand for two.
        shape = full if fraction == 1 else tuple(2 * round(n * fraction / 2) + 1 for n in full)

        def kept(spectra):
            low = _low_frequencies(spectra, shape)
            return low.reshape(*low.shape[:-2], -1)

        weights = np.sqrt(multiplicities(*shape)).ravel()
        factors = [kept(colour.components) * weights for colour in model.colours]
        return cls(
            shape,
            [kept(spectrum) for spectrum in model.spectra_of(images)],
            [kept(colour.mean) for colour in model.colours],
            [kept(colour.power) for colour in model.colours],
            [np.concatenate([f.real, f.imag], axis=1).T.astype(np.float32) for f in factors],
            noise,
        )

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """How often each frequency stands in the full transform, flat."""
        return multiplicities(*self.shape).ravel()


def _low_frequencies(spectra, shape):
    """Of [..., height, width // 2 + 1] those that a smaller image has."""
    height, width = shape
    if spectra.shape[-2] == height:
        return spectra
    upper = (height + 1) // 2
    rows = np.r_[:upper, upper - height : 0]
    return spectra[..., rows, : width // 2 + 1]


def cost_and_gradient(observed: Observed, kernel: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus twice the log likelihood of the measurements, and its gradient by the kernel.

    A constant is left out that depends on their number only.

    Args:
        observed: the measurements.
        kernel: [side, side], side odd.
    """
    transfer = transfer_of(kernel, observed.shape).ravel().astype(np.complex128)
    cost, power, together = 0.0, 0.0, 0.0
    for colour in range(len(observed.spectra)):
        colour_cost, mean, variance = _posterior(observed, colour, transfer)
        cost += colour_cost
        power += (np.square(np.abs(mean)) + variance).sum(axis=0)
        together += (mean.conj() * observed.spectra[colour]).sum(axis=0)
    slope = 2 * (power * transfer - together) / observed.noise**2
    height, width = observed.shape
    gradient = scipy.fft.irfft2(slope.reshape(height, -1), observed.shape) * (height * width)
    places = np.arange(len(kernel)) - len(kernel) // 2
    return cost, gradient[(places % height)[:, np.newaxis], places % width]


def _posterior(observed, colour, transfer):
    """Of a colour of the sharp images: (cost, mean [batch, frequencies], variance [frequencies]).

    The covariance of the measurements is D + K B B' K', D diagonal: the matrix inversion lemma
    leaves a matrix of the components' number.
    """
    power, factors = observed.powers[colour], observed.factors[colour]
    spectra, noise, weights = observed.spectra[colour], observed.noise**2, observed.weights
    passed = np.square(np.abs(transfer))
    diagonal = passed * power + noise
    shares = np.sqrt(passed / diagonal).astype(np.float32)
    scaled = factors * np.concatenate([shares, shares])[:, np.newaxis]
    root = scipy.linalg.cholesky(
        scaled.T @ scaled + np.eye(factors.shape[1], dtype=np.float32), lower=True
    )
    difference = spectra - transfer * observed.means[colour]
    filtered = transfer.conj() / diagonal * difference
    weighted = filtered * np.sqrt(weights)
    scores = np.concatenate([weighted.real, weighted.imag], axis=1).astype(np.float32) @ factors
    coefficients = scipy.linalg.cho_solve((root, True), scores.T).T
    cost = len(spectra) * (weights @ np.log(diagonal) + 2 * np.log(root.diagonal()).sum())
    cost += (weights * np.square(np.abs(difference)) / diagonal).sum()
    cost -= np.vdot(coefficients, scores)
    real, imaginary = np.split((coefficients @ factors.T) / np.sqrt(np.tile(weights, 2)), 2, axis=1)
    missed = noise / diagonal
    mean = observed.means[colour] + missed * (real + 1j * imaginary) + power * filtered
    spread = scipy.linalg.solve_triangular(root, factors.T, lower=True, check_finite=False)
    spread = np.square(spread).sum(axis=0).reshape(2, -1).sum(axis=0) / weights
    return float(cost), mean, missed * power + missed**2 * spread


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

    The likelihood has many maxima. So the search has many starts, and follows the best of them to
    the next finer scale.

    Args:
        model: of sharp images framed as these are.
        images: [batch, height, width, channels] in [0, 1], which share the blur.
        noise: its standard deviation, of white as 1.
        size: odd, of the kernel.
        proposals: kernels [side, side], side odd, that were found otherwise.
        told: called with the fraction of the work that is done.

    Returns:
        (kernel [side, side]; its gain over no blur in log likelihood a value of the images; how
        similar the two starts that came farthest became, 1 where they ended at one kernel).
    """
    observed, kernels = _coarse_to_fine(model, images, noise, size=size, told=told)
    # Other searches do not know the place of their kernel; but this one's own may be a poor one.
    places = [*proposals, *(_moved_upon(kernels[0], proposal) for proposal in proposals)]
    placed = [_best_placed(observed, proposal) for proposal in places]
    own = cleaned(kernels[0], NEGLIGIBLE[0])  # which the proposals, as they may be wide, are not
    finals = [_finished(observed, kernel) for kernel in (own, *placed)]
    costs = [cost_and_gradient(observed, kernel)[0] for kernel in finals]
    best = int(np.argmin(costs))
    gain = cost_and_gradient(observed, np.ones((1, 1)))[0] - costs[best]
    return finals[best], gain / 2 / images.size, similarity(*kernels[:2])


def _coarse_to_fine(model, images, noise, *, size, told):
    """(the measurements at full resolution, the kernels of the last scale, the likeliest first)."""
    kernels = _starts(_side_at(SCALES[0][0], size))
    for number, (fraction, kept, steps, sparsity) in enumerate(SCALES):
        observed = Observed.of(model, images, noise, fraction)
        kernels = [resized(kernel, _side_at(fraction, size)) for kernel in kernels[:kept]]
        if fraction < 1.0:  # where the place of a kernel is looked for anew
            kernels = [_best_placed(observed, kernel) for kernel in kernels]
        better = [improved(observed, kernel, steps, sparsity) for kernel in kernels]
        kernels = [kernel for kernel, _ in sorted(better, key=itemgetter(1))]
        told((number + 1) / len(SCALES))
    return observed, kernels


def _side_at(fraction, size):
    """Of the kernel, at a share of the full resolution; odd."""
    return max(2 * round((size * fraction - 1) / 2) + 1, SMALLEST_SIDE)


def _moved_upon(kernel, proposal):
    """A proposal at the place of a kernel."""
    side = max(len(kernel), len(proposal))
    padded = [np.pad(one, (side - len(one)) // 2) for one in (kernel, proposal)]
    return upon_the_first(padded)[1]


def _finished(observed, kernel):
    """A kernel, improved where it is and right beside it."""
    beside = binary_dilation(kernel > 0, np.ones((3, 3)))
    kernel, _ = improved(observed, kernel, LAST_STEPS, LAST_SPARSITY, beside)
    return cleaned(kernel, NEGLIGIBLE[1])


def _best_placed(observed, kernel):
    """A kernel, moved by a few pixels to where it explains the measurements best."""
    shifts = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
    moved = [np.roll(kernel, (down, right), (0, 1)) for down in shifts for right in shifts]
    return min(moved, key=lambda one: cost_and_gradient(observed, one)[0])


def _starts(side):
    length = min(LINE_LENGTH, side - 1)
    lines = [gaussian_filter(line(side, length, angle), 0.5) for angle in LINES]
    bells = [gaussian(side, sigma) for sigma in BELLS]
    return [*lines, *bells, *(_shake(side, seed) for seed in range(SHAKES))]


def _shake(side, seed):
    """A random camera shake in a kernel of that side."""
    size = max(odd(round(side * SHAKE_SIZES[seed % len(SHAKE_SIZES)])), SMALLEST_SIDE)
    shake = gaussian_filter(camera_shake(size, seed), 0.5)
    return normalised(np.pad(shake, (side - size) // 2))
