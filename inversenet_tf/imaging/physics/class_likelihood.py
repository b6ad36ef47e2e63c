"""The likelihood of a kernel for measurements of a class, with the sharp images integrated out.

Given the Gaussian distribution of an `ImageModel`, measurements y = k * x + n are Gaussian, too:
their mean is k * mean, their covariance a spectrum plus a matrix of low rank. By Fisher's identity
the gradient of the likelihood needs only the posterior mean and variance of the sharp images.
"""

import dataclasses
import functools

import numpy as np
import scipy.fft
import scipy.linalg

from inversenet_tf.imaging.physics.blur_model import transfer_of
from inversenet_tf.imaging.physics.image_model import ImageModel, multiplicities


@dataclasses.dataclass(frozen=True, eq=False)
class ClassPrior:
    """An image model, restricted to the lowest frequencies.

    Attributes:
        shape: (height, width) of the images.
        low: (height, width) of images that have only these frequencies.
        means, powers: [frequencies] for each colour.
        factors: [2 * frequencies, components] for each colour, real parts above imaginary ones,
            weighted so that their products are those of the full transforms.
    """

    shape: tuple[int, int]
    low: tuple[int, int]
    means: list[np.ndarray]
    powers: list[np.ndarray]
    factors: list[np.ndarray]

    @classmethod
    def of(
        cls, model: ImageModel, fraction: float = 1.0, most: tuple[int, int] | None = None
    ) -> "ClassPrior":
        """Restricts an image model.

        Args:
            model: of sharp images.
            fraction: of the frequencies along each axis that is kept, the lowest.
            most: numbers of components kept of the first colour and of each other one; None for
                all. The rest add to the power spectrum only, which is much faster.
        """
        shape = model.shape[:2]
        # An odd number of frequencies avoids the Nyquist frequency, which would stand for two.
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
        return cls(shape, low, means, powers, factors)

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """How often each frequency occurs in the full transform, flat."""
        return multiplicities(*self.low).ravel()

    def transfers(self, kernels: np.ndarray) -> np.ndarray:
        """Transfers of kernels [..., side, side], side odd: complex [..., frequencies]."""
        return _flat(_lowest(transfer_of(kernels, self.shape), self.low))

    def lowest(self, spectra: list[np.ndarray]) -> list[np.ndarray]:
        """Restricts those of `ImageModel.spectra_of`: [batch, frequencies] for each colour."""
        return [_flat(_lowest(spectrum, self.low)) for spectrum in spectra]


@dataclasses.dataclass(frozen=True, eq=False)
class Observed:
    """The lowest frequencies of measurements of a class of images.

    Attributes:
        prior: of the sharp images.
        spectra: [batch, frequencies] for each colour.
        noise: standard deviation.
    """

    prior: ClassPrior
    spectra: list[np.ndarray]
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
        """Transforms measurements with a circular boundary.

        Args:
            model, fraction, most: as for `ClassPrior.of`.
            images: [batch, height, width, channels].
            noise: standard deviation.
        """
        prior = ClassPrior.of(model, fraction, most)
        return cls(prior, prior.lowest(model.spectra_of(images)), noise)


def _flat(spectra):
    return spectra.reshape(*spectra.shape[:-2], -1)


def _rows(height, low_height):
    """The rows of the lowest frequencies."""
    upper = (low_height + 1) // 2
    return np.r_[:upper, height - low_height + upper : height]


def _lowest(spectra, low):
    """The frequencies in [..., height, width // 2 + 1] that a smaller image has."""
    return spectra[..., _rows(spectra.shape[-2], low[0]), : low[1] // 2 + 1]


def cost_and_gradient(observed: Observed, kernel: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus twice the log likelihood of the measurements, and its gradient in the kernel.

    A constant that depends only on the number of measurements is left out.

    Args:
        observed: the measurements.
        kernel: [side, side], side odd.
    """
    prior = observed.prior
    transfer = prior.transfers(kernel).astype(np.complex128)
    cost, power, together = 0.0, 0.0, 0.0
    for colour, spectra in enumerate(observed.spectra):
        inverse = ColourInverse.of(prior, colour, transfer, observed.noise)
        colour_cost, mean = inverse.cost_and_mean(spectra)
        cost += colour_cost
        power += (np.square(np.abs(mean)) + inverse.variance()).sum(axis=0)
        together += (mean.conj() * spectra).sum(axis=0)
    slope = 2 * (power * transfer - together) / observed.noise**2
    (height, width), (low_height, low_width) = prior.shape, prior.low
    full = np.zeros((height, width // 2 + 1), complex)
    full[_rows(height, low_height), : low_width // 2 + 1] = slope.reshape(low_height, -1)
    gradient = scipy.fft.irfft2(full, prior.shape) * (height * width)
    places = np.arange(len(kernel)) - len(kernel) // 2
    return cost, gradient[(places % height)[:, np.newaxis], places % width]


@dataclasses.dataclass(frozen=True, eq=False)
class ColourInverse:
    """The inverse covariance of measurements of one colour that share a kernel.

    The covariance is D + K B B' K', D diagonal: by the matrix inversion lemma only a matrix of
    [components, components] needs to be inverted.

    Attributes:
        mean, power: of the colour's model, [frequencies].
        factors: of the colour's model, as in `ClassPrior`.
        weights, transfer, diagonal: [frequencies], the last being D.
        noise: variance.
        root: [components, components], lower Cholesky factor of the matrix to be inverted.
    """

    mean: np.ndarray
    power: np.ndarray
    factors: np.ndarray
    weights: np.ndarray
    transfer: np.ndarray
    diagonal: np.ndarray
    noise: float
    root: np.ndarray

    @classmethod
    def of(
        cls, prior: ClassPrior, colour: int, transfer: np.ndarray, noise: float
    ) -> "ColourInverse":
        """For a colour's index, a transfer [frequencies], and the noise's standard deviation."""
        power, factors = prior.powers[colour], prior.factors[colour]
        passed = np.square(np.abs(transfer))
        diagonal = passed * power + noise**2
        shares = np.sqrt(passed / diagonal).astype(np.float32)
        scaled = factors * np.concatenate([shares, shares])[:, np.newaxis]
        root = scipy.linalg.cholesky(
            scaled.T @ scaled + np.eye(factors.shape[1], dtype=np.float32), lower=True
        )
        return cls(
            prior.means[colour],
            power,
            factors,
            prior.weights,
            transfer,
            diagonal,
            noise**2,
            root,
        )

    def cost_and_mean(self, spectra: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus twice the log likelihood of measurements, and the posterior mean.

        Args:
            spectra: of the measurements, [batch, frequencies].

        Returns:
            (cost, posterior mean of the sharp images' spectra [batch, frequencies]).
        """
        weights, diagonal, factors = self.weights, self.diagonal, self.factors
        difference = spectra - self.transfer * self.mean
        filtered = self.transfer.conj() / diagonal * difference
        weighted = filtered * np.sqrt(weights)
        scores = np.concatenate([weighted.real, weighted.imag], axis=1).astype(np.float32) @ factors
        coefficients = scipy.linalg.cho_solve((self.root, True), scores.T).T
        determinant = weights @ np.log(diagonal) + 2 * np.log(self.root.diagonal()).sum()
        cost = len(spectra) * determinant
        cost += (weights * np.square(np.abs(difference)) / diagonal).sum()
        cost -= np.vdot(coefficients, scores)
        explained = (coefficients @ factors.T) / np.sqrt(np.tile(weights, 2))
        real, imaginary = np.split(explained, 2, axis=1)
        missed = self.noise / diagonal
        mean = self.mean + missed * (real + 1j * imaginary) + self.power * filtered
        return float(cost), mean

    def variance(self) -> np.ndarray:
        """Posterior variance of the sharp images' spectra, [frequencies]."""
        spread = scipy.linalg.solve_triangular(
            self.root, self.factors.T, lower=True, check_finite=False
        )
        spread = np.square(spread).sum(axis=0).reshape(2, -1).sum(axis=0) / self.weights
        missed = self.noise / self.diagonal
        return missed * self.power + missed**2 * spread


class PosteriorMean:
    """The linear estimate of least mean square error of the images behind circular measurements.

    It is z = mu + S A' (A S A' + noise^2)^-1 (y - A mu), Eq. 3 in closed form, with the mean and
    the covariance of the class. What does not depend on the measurements is computed only once.

    Args:
        model: of sharp images framed as the measurements are.
        prior: of the model, at all frequencies.
        kernel: [side, side], side odd.
        noise: standard deviation, above zero.
    """

    def __init__(self, model: ImageModel, prior: ClassPrior, kernel: np.ndarray, noise: float):
        self._model = model
        transfer = prior.transfers(kernel).astype(np.complex128)
        colours = range(len(prior.means))
        self._inverses = [ColourInverse.of(prior, colour, transfer, noise) for colour in colours]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The images behind measurements [batch, height, width, channels], of the same shape."""
        spectra = self._model.spectra_of(images)
        pairs = zip(self._inverses, spectra, strict=True)
        means = [one.cost_and_mean(_flat(spectrum))[1] for one, spectrum in pairs]
        return self._model.images_of(means)
