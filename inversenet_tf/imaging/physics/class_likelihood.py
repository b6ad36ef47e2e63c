"""How likely a kernel makes measurements of a class of images, the sharp ones integrated out.

With the Gaussian distribution of an `ImageModel` measurements y = k * x + n are Gaussian, too, with
the mean k * mean and a covariance of low rank beside a spectrum. By Fisher's identity the gradient
of their likelihood only needs the posterior mean and variance of the sharp images.
"""

import dataclasses
import functools

import numpy as np
import scipy.fft
import scipy.linalg

from inversenet_tf.imaging.physics.blur_model import transfer_of
from inversenet_tf.imaging.physics.image_model import ImageModel, multiplicities


@dataclasses.dataclass(frozen=True, eq=False)
class Observed:
    """The lowest frequencies of measurements of a class of images.

    Attributes:
        shape: (height, width) of the images.
        low: (height, width) of images that have these frequencies only.
        spectra: of each colour [batch, frequencies], flat.
        means, powers: of each colour's model, [frequencies].
        factors: of each colour's model [2 * frequencies, components], real parts above imaginary
            ones, weighted so that their products are those of the full transforms.
        noise: standard deviation.
    """

    shape: tuple[int, int]
    low: tuple[int, int]
    spectra: list[np.ndarray]
    means: list[np.ndarray]
    powers: list[np.ndarray]
    factors: list[np.ndarray]
    noise: float

    @classmethod
    def of(
        cls,
        model: ImageModel,
        images: np.ndarray,
        noise: float,
        fraction: float = 1.0,
        most: tuple[int, int] | None = None,
    ) -> "Observed":
        """Of circular images.

        Args:
            model: of sharp images.
            images: [batch, height, width, channels].
            noise: standard deviation.
            fraction: of the frequencies along each axis, the lowest, that are looked at.
            most: components of the first colour, and of each of the others, that are kept. What
                the others contribute counts as if it had no direction, which is much faster.
        """
        shape = model.shape[:2]
        # An odd number of frequencies has no highest one, which would stand for two.
        low = shape if fraction == 1 else tuple(2 * round(n * fraction / 2) + 1 for n in shape)
        weights = multiplicities(*low).ravel()
        means, powers, factors = [], [], []
        for number, colour in enumerate(model.colours):
            kept = most[min(number, 1)] if most else len(colour.components)
            components = _flat(_lowest(colour.components, low))
            rest = np.square(np.abs(components[kept:])).sum(axis=0)
            means.append(_flat(_lowest(colour.mean, low)))
            powers.append(_flat(_lowest(colour.power, low)) + rest)
            weighted = components[:kept] * np.sqrt(weights)
            factors.append(np.hstack([weighted.real, weighted.imag]).T.astype(np.float32, "C"))
        spectra = [_flat(_lowest(spectrum, low)) for spectrum in model.spectra_of(images)]
        return cls(shape, low, spectra, means, powers, factors, noise)

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """How often each frequency stands in the full transform, flat."""
        return multiplicities(*self.low).ravel()

    def transfers(self, kernels: np.ndarray) -> np.ndarray:
        """Of kernels [..., side, side], side odd: complex [..., frequencies]."""
        return _flat(_lowest(transfer_of(kernels, self.shape), self.low))


def _flat(spectra):
    return spectra.reshape(*spectra.shape[:-2], -1)


def _rows(height, low_height):
    """Those of the lowest frequencies."""
    upper = (low_height + 1) // 2
    return np.r_[:upper, height - low_height + upper : height]


def _lowest(spectra, low):
    """Of [..., height, width // 2 + 1] the frequencies that a smaller image has."""
    return spectra[..., _rows(spectra.shape[-2], low[0]), : low[1] // 2 + 1]


def cost_and_gradient(observed: Observed, kernel: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus twice the log likelihood of the measurements, and its gradient by the kernel.

    A constant is left out that depends on their number only.

    Args:
        observed: the measurements.
        kernel: [side, side], side odd.
    """
    transfer = observed.transfers(kernel).astype(np.complex128)
    cost, power, together = 0.0, 0.0, 0.0
    for colour in range(len(observed.spectra)):
        colour_cost, mean, variance = _posterior(observed, colour, transfer)
        cost += colour_cost
        power += (np.square(np.abs(mean)) + variance).sum(axis=0)
        together += (mean.conj() * observed.spectra[colour]).sum(axis=0)
    slope = 2 * (power * transfer - together) / observed.noise**2
    (height, width), (low_height, low_width) = observed.shape, observed.low
    full = np.zeros((height, width // 2 + 1), complex)
    full[_rows(height, low_height), : low_width // 2 + 1] = slope.reshape(low_height, -1)
    gradient = scipy.fft.irfft2(full, observed.shape) * (height * width)
    places = np.arange(len(kernel)) - len(kernel) // 2
    return cost, gradient[(places % height)[:, np.newaxis], places % width]


def posterior_mean(
    model: ImageModel, images: np.ndarray, kernel: np.ndarray, noise: float
) -> np.ndarray:
    """The linear estimate of least mean square error of the images behind circular measurements.

    It is z = mu + S A' (A S A' + noise^2)^-1 (y - A mu), Eq. 3 in closed form, with the mean and
    the covariance of the class.

    Args:
        model: of sharp images framed as these are.
        images: measurements [batch, height, width, channels] that share the blur.
        kernel: [side, side], side odd.
        noise: standard deviation, above zero.

    Returns:
        Images of the measurements' shape.
    """
    observed = Observed.of(model, images, noise)
    transfer = observed.transfers(kernel).astype(np.complex128)
    colours = range(len(observed.spectra))
    return model.images_of([_posterior(observed, colour, transfer)[1] for colour in colours])


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
