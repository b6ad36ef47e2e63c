"""The model of blurred images in the search for a kernel: sparse gradients and noise.

A measurement's gradients are y = k * x + n, x being the gradients of the sharp image. All images
are [batch, height, width] and periodic: a camera's are extended to be so, and a window that fades
towards the border of the frame weights the gradients.
"""

import dataclasses
import functools

import numpy as np
import scipy.fft

from inversenet_tf.imaging.physics.borders import extended_periodically

LUMA_NOISE = 0.45  # share of the pixels' noise variance in a luma, 0.299^2 + 0.587^2 + 0.114^2
MARGIN = 24  # pixels by which a camera's image is extended
LEAST_SCALED_SIDE = 8  # pixels of an image at the coarsest scale
PENALTY_GROWTH, LARGEST_PENALTY = 2.0, 2.0  # of the splitting in `sparse_estimate`
SCREENING_SIDE = 96  # side in pixels of the square that a great many kernels are tried on
QUIET_SHARE = 0.05  # share of the frequencies that the noise is measured at


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Blurred images, ready for the search.

    Attributes:
        images: float32 [batch, height, width], periodic.
        window: [height, width] in [0, 1], the weight of the gradients at each place.
        noise: standard deviation of the noise in the luma.
    """

    images: np.ndarray
    window: np.ndarray
    noise: float

    @classmethod
    def of(cls, lumas: np.ndarray, circular: bool, noise: float) -> "Measured":
        """Prepares lumas [batch, height, width], circular or a camera's, with a given noise."""
        if circular:
            return cls(lumas.astype(np.float32), np.ones(lumas.shape[1:], np.float32), noise)
        height, width = lumas.shape[1:]
        images = lumas[..., np.newaxis].astype(np.float32)
        extended = extended_periodically(images, (MARGIN, MARGIN)).numpy()[..., 0]
        return cls(extended, _window(height, width, extended.shape[1:]), noise)

    @classmethod
    def a_few(cls, lumas: np.ndarray, circular: bool, noise: float) -> "Measured":
        """The same with so few pixels that many kernels can be tried on them."""
        if not circular:
            side = min(SCREENING_SIDE, *lumas.shape[1:])
            top, left = ((extent - side) // 2 for extent in lumas.shape[1:])
            lumas = lumas[:, top : top + side, left : left + side]
        count = max(1, SCREENING_SIDE**2 // lumas[0].size)
        return cls.of(lumas[:count], circular, noise)

    @functools.cached_property
    def spectrum(self) -> np.ndarray:
        """The images' Fourier transforms."""
        return scipy.fft.rfft2(self.images)

    @functools.cached_property
    def gradient_spectra(self) -> np.ndarray:
        """Fourier transforms of the windowed gradients, [2, batch, height, width // 2 + 1]."""
        return scipy.fft.rfft2(gradients_of(self.images) * self.window)

    @functools.cached_property
    def _scales(self):
        """A cache for `scaled`, as several searches go through the same scales."""
        return {}

    def scaled(self, fraction: float) -> "Measured":
        """The same at a smaller scale, without the high frequencies."""
        if fraction >= 1:
            return self
        if fraction not in self._scales:
            self._scales[fraction] = self._scaled(fraction)
        return self._scales[fraction]

    def _scaled(self, fraction):
        height, width = (
            max(2 * round(side * fraction / 2), LEAST_SCALED_SIDE) for side in self.window.shape
        )
        images = _low_frequencies(self.images, height, width)
        window = np.clip(_low_frequencies(self.window[np.newaxis], height, width)[0], 0.0, 1.0)
        return Measured(images, window, self.noise * fraction)


def _window(height, width, extended):
    """A window that is 1 inside the frame and falls to zero at its border and beyond."""
    window = np.zeros(extended, np.float32)
    profiles = []
    for side in (height, width):
        distance = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5)
        reach = min(MARGIN, side / 4)
        profiles.append(np.sin(np.pi / 2 * np.clip(distance / reach, 0.0, 1.0)) ** 2)
    window[:height, :width] = np.outer(*profiles)
    return window


def _low_frequencies(images, height, width):
    _, full_height, full_width = images.shape
    spectrum = scipy.fft.fftshift(scipy.fft.fft2(images), axes=(1, 2))
    top, left = full_height // 2 - height // 2, full_width // 2 - width // 2
    kept = spectrum[:, top : top + height, left : left + width]
    kept = scipy.fft.ifftshift(kept, axes=(1, 2)) * (height * width / full_height / full_width)
    return scipy.fft.ifft2(kept).real


def transfer_of(kernel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The Fourier transform of kernels [..., side, side] on images of a shape.

    Its layout is that of `scipy.fft.rfft2`.
    """
    side = kernel.shape[-1]
    padded = np.zeros((*kernel.shape[:-2], *shape), np.float32)
    rows, columns = (_places(side) % extent for extent in shape)
    np.add.at(padded, (..., rows[:, np.newaxis], columns), kernel)
    return scipy.fft.rfft2(padded)


def _places(side):
    """Positions of a kernel's rows, with zero in the middle."""
    return np.arange(side) - side // 2


def gradients_of(images: np.ndarray) -> np.ndarray:
    """Differences to the next column and to the next row: [2, batch, height, width]."""
    gradients = np.empty((2, *images.shape), images.dtype)
    along_columns, along_rows = gradients
    np.subtract(images[..., 1:], images[..., :-1], out=along_columns[..., :-1])
    np.subtract(images[..., 0], images[..., -1], out=along_columns[..., -1])
    np.subtract(images[..., 1:, :], images[..., :-1, :], out=along_rows[..., :-1, :])
    np.subtract(images[..., 0, :], images[..., -1, :], out=along_rows[..., -1, :])
    return gradients


def adjoint_of_gradients(gradients):
    """The adjoint of `gradients_of`: [2, batch, height, width] -> [batch, height, width]."""
    along_columns, along_rows = gradients
    images = -along_columns - along_rows
    images[..., 1:] += along_columns[..., :-1]
    images[..., 0] += along_columns[..., -1]
    images[..., 1:, :] += along_rows[..., :-1, :]
    images[..., 0, :] += along_rows[..., -1, :]
    return images


@functools.lru_cache(maxsize=64)
def difference_power(shape):
    """The sum of the squared transfers of `gradients_of`."""
    rows, columns = scipy.fft.fftfreq(shape[0]), scipy.fft.rfftfreq(shape[1])
    squares = (4 * np.sin(np.pi * frequencies) ** 2 for frequencies in (rows, columns))
    return np.add.outer(*squares).astype(np.float32)


def squared(spectrum: np.ndarray) -> np.ndarray:
    """The absolute squares of complex values."""
    return spectrum.real**2 + spectrum.imag**2


def sparse_estimate(measured: Measured, kernel: np.ndarray, sparsity: float) -> np.ndarray:
    """The gradients of argmin |k * x - y|^2 + sparsity * (number of nonzero gradients).

    By half-quadratic splitting: gradients too small to pay for themselves become zero, and the
    image is pulled towards the others, harder each time.

    Returns:
        [2, batch, height, width], most of them zero.
    """
    shape = measured.window.shape
    transfer = transfer_of(kernel, shape)
    target = transfer.conj() * measured.spectrum
    power, differences = squared(transfer) + np.float32(1e-12), difference_power(shape)
    images, penalty = measured.images, 2 * sparsity
    while True:
        gradients = gradients_of(images)
        gradients *= gradients[0] ** 2 + gradients[1] ** 2 >= sparsity / penalty
        if penalty * PENALTY_GROWTH >= LARGEST_PENALTY:
            return gradients
        spectrum = scipy.fft.rfft2(adjoint_of_gradients(gradients))
        spectrum *= penalty
        spectrum += target
        spectrum *= 1 / (power + penalty * differences)
        images = scipy.fft.irfft2(spectrum, shape, overwrite_x=True)
        penalty *= PENALTY_GROWTH


def correlations(
    measured: Measured, gradients: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The normal equations M k = t of least squares |gradients of y - k * gradients|^2 over images.

    M is the autocorrelation of the gradients at the distance of two pixels of the kernel, t their
    correlation with the measured ones. The window is applied to both, which is possible because
    it is smooth on the scale of a kernel.

    Returns:
        (autocorrelation [2 side - 1, 2 side - 1] by distance, t [side, side]).
    """
    shape = measured.window.shape
    sharp = scipy.fft.rfft2(gradients * measured.window)
    autocorrelation = scipy.fft.irfft2(squared(sharp).sum(axis=(0, 1)), shape)
    together = sharp.conj() * measured.gradient_spectra
    correlation = scipy.fft.irfft2(together.sum(axis=(0, 1)), shape)
    return _around_zero(autocorrelation, 2 * side - 1), _around_zero(correlation, side)


def _around_zero(periodic, side):
    rows, columns = (_places(side) % extent for extent in periodic.shape)
    return periodic[rows[:, np.newaxis], columns]


def noise_beside_blur(measured: Measured, kernel: np.ndarray, highest: float = np.inf) -> float:
    """The noise, measured at the frequencies where a blur leaves least of the image.

    Args:
        measured: the images.
        kernel: [side, side].
        highest: frequency that is looked at, in cycles per pixel.

    Returns:
        The standard deviation of the noise in the luma.
    """
    height, width = measured.window.shape
    rows, columns = scipy.fft.fftfreq(height)[:, np.newaxis], scipy.fft.rfftfreq(width)
    expected = np.abs(transfer_of(kernel, (height, width))) ** 2 / (rows**2 + columns**2 + 1e-4)
    windowed = (
        measured.images - measured.images.mean(axis=(1, 2), keepdims=True)
    ) * measured.window
    power = (np.abs(scipy.fft.rfft2(windowed)) ** 2).mean(axis=0) / (measured.window**2).sum()
    low = rows**2 + columns**2 < highest**2
    quietest = low & (expected <= np.quantile(expected[low], QUIET_SHARE))
    return float(np.sqrt(power[quietest].mean()))
