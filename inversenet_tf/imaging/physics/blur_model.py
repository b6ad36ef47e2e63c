"""What the search for a kernel knows of blurred images: their sparse gradients, and their noise.

A measurement's gradients are y = k * x + n, x being the gradients of the sharp image. All images
are [batch, height, width] and periodic: a camera's are extended so that they are, and a window
that fades towards the frame says how much a gradient counts.
"""

import dataclasses

import numpy as np
import scipy.fft

from inversenet_tf.imaging.physics.solvers import extended_periodically

LUMA_NOISE = 0.45  # share of the pixels' noise variance in a luma, 0.299^2 + 0.587^2 + 0.114^2
MARGIN = 24  # pixels by which a camera's image is extended
LEAST_SCALED_SIDE = 8  # pixels of an image at the coarsest scale
PENALTY_GROWTH, LARGEST_PENALTY = 2.0, 2.0  # of the splitting in `sparse_estimate`
EVIDENCE_PIXELS = 2**15  # that the marginal likelihood looks at
SCREENING_SIDE = 96  # of the square of pixels that a great many kernels are tried on
QUIET_SHARE = 0.05  # of the frequencies, that the noise is seen in
EVIDENCE_ROUNDS, CONJUGATE_STEPS = 6, 5


@dataclasses.dataclass(frozen=True)
class Measured:
    """Blurred images, ready for the search.

    Attributes:
        images: float32 [batch, height, width], periodic.
        window: [height, width] in [0, 1], how much a gradient at each place counts.
        noise: standard deviation in the luma.
    """

    images: np.ndarray
    window: np.ndarray
    noise: float

    @classmethod
    def of(cls, lumas: np.ndarray, circular: bool, noise: float) -> "Measured":
        """Of lumas [batch, height, width], circular or of a camera, with noise in the luma."""
        if circular:
            return cls(lumas.astype(np.float32), np.ones(lumas.shape[1:], np.float32), noise)
        height, width = lumas.shape[1:]
        images = lumas[..., np.newaxis].astype(np.float32)
        extended = extended_periodically(images, (MARGIN, MARGIN)).numpy()[..., 0]
        return cls(extended, _window(height, width, extended.shape[1:]), noise)

    @classmethod
    def a_few(cls, lumas: np.ndarray, circular: bool, noise: float) -> "Measured":
        """The same of so few pixels that many kernels can be tried on them."""
        if not circular:
            side = min(SCREENING_SIDE, *lumas.shape[1:])
            top, left = ((extent - side) // 2 for extent in lumas.shape[1:])
            lumas = lumas[:, top : top + side, left : left + side]
        count = max(1, SCREENING_SIDE**2 // lumas[0].size)
        return cls.of(lumas[:count], circular, noise)

    def scaled(self, fraction: float) -> "Measured":
        """The same at a smaller scale, by leaving the high frequencies out."""
        if fraction >= 1:
            return self
        height, width = (
            max(2 * round(side * fraction / 2), LEAST_SCALED_SIDE) for side in self.window.shape
        )
        images = _low_frequencies(self.images, height, width)
        window = np.clip(_low_frequencies(self.window[np.newaxis], height, width)[0], 0.0, 1.0)
        return Measured(images, window, self.noise * fraction)


def _window(height, width, extended):
    """One inside of the frame, falling to zero at its border and beyond."""
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
    """The kernel's Fourier transform on images of a shape, as of `scipy.fft.rfft2`."""
    side = len(kernel)
    padded = np.zeros(shape, np.float32)
    rows, columns = (_places(side) % extent for extent in shape)
    np.add.at(padded, (rows[:, np.newaxis], columns), kernel)
    return scipy.fft.rfft2(padded)


def _places(side):
    """Of a kernel's rows, with zero at its middle."""
    return np.arange(side) - side // 2


def gradients_of(images: np.ndarray) -> np.ndarray:
    """Differences to the next column and the next row: [2, batch, height, width]."""
    return np.stack([np.roll(images, -1, axis) - images for axis in (2, 1)])


def _difference_transfers(shape):
    """Those of `gradients_of`."""
    rows, columns = scipy.fft.fftfreq(shape[0]), scipy.fft.rfftfreq(shape[1])
    along_rows = np.exp(2j * np.pi * rows)[:, np.newaxis] - 1
    along_columns = np.exp(2j * np.pi * columns) - 1
    pair = np.broadcast_arrays(along_columns, along_rows)
    return [transfer.astype(np.complex64) for transfer in pair]


def sparse_estimate(measured: Measured, kernel: np.ndarray, sparsity: float) -> np.ndarray:
    """The gradients of argmin |k * x - y|^2 + sparsity |number of gradients that are not zero|.

    By half-quadratic splitting: gradients too small to pay for themselves become zero, and the
    image is pulled towards the others, ever harder.

    Returns:
        [2, batch, height, width], most of them zero.
    """
    shape = measured.window.shape
    transfer = transfer_of(kernel, shape)
    target = transfer.conj() * scipy.fft.rfft2(measured.images)
    power = np.abs(transfer) ** 2
    differences = _difference_transfers(shape)
    difference_power = sum(np.abs(d) ** 2 for d in differences)
    images, penalty = measured.images, 2 * sparsity
    gradients = np.zeros((2, *images.shape), np.float32)
    while penalty < LARGEST_PENALTY:
        gradients = gradients_of(images)
        gradients *= (gradients**2).sum(axis=0) >= sparsity / penalty
        pull = sum(
            d.conj() * scipy.fft.rfft2(g) for d, g in zip(differences, gradients, strict=True)
        )
        spectrum = (target + penalty * pull) / (power + penalty * difference_power + 1e-12)
        images = scipy.fft.irfft2(spectrum, shape)
        penalty *= PENALTY_GROWTH
    return gradients


def correlations(
    measured: Measured, gradients: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The least squares |gradients of y - k * gradients|^2 for a kernel, over all images.

    Its normal equations are M k = t. M is the gradients' correlation with themselves at the
    distance of two pixels of the kernel, t that with the measured ones. The window is applied to
    both, as it is smooth on the scale of a kernel.

    Returns:
        (autocorrelation [2 side - 1, 2 side - 1] by distance, t [side, side]).
    """
    shape = measured.window.shape
    sharp = scipy.fft.rfft2(gradients * measured.window)
    blurred = scipy.fft.rfft2(gradients_of(measured.images) * measured.window)
    autocorrelation = scipy.fft.irfft2((np.abs(sharp) ** 2).sum(axis=(0, 1)), shape)
    correlation = scipy.fft.irfft2((sharp.conj() * blurred).sum(axis=(0, 1)), shape)
    return _around_zero(autocorrelation, 2 * side - 1), _around_zero(correlation, side)


def _around_zero(periodic, side):
    rows, columns = (_places(side) % extent for extent in periodic.shape)
    return periodic[rows[:, np.newaxis], columns]


def marginal_cost(measured: Measured, kernel: np.ndarray) -> float:
    """How badly a kernel explains the images, the sharp image being left open.

    Each gradient x has a variance v of its own, found with it. The cost is twice the negative
    logarithm of the likelihood of y with x integrated out, its posterior taken for independent
    between pixels (Wipf and Zhang 2014, Eq. 8):

        |y - k * x|^2 / s + sum x^2 / v + sum log(s + v |k|^2).

    Args:
        measured: the images.
        kernel: [side, side].

    Returns:
        The cost a gradient; differences between kernels are what it is good for.
    """
    sharp, variances, misfit = _posterior(measured, kernel)
    noise, mass = _gradient_noise(measured), (kernel**2).sum()
    cost = misfit**2 / noise + sharp**2 / variances + np.log(noise + variances * mass)
    return float(np.average(cost.mean(axis=0), weights=measured.window))


def noise_beside_blur(measured: Measured, kernel: np.ndarray, highest: float = np.inf) -> float:
    """The noise, seen in the frequencies that a blur leaves least of the image in.

    Args:
        measured: the images.
        kernel: [side, side].
        highest: of the frequencies that are looked at, in cycles a pixel.

    Returns:
        Its standard deviation in the luma.
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


def _gradient_noise(measured):
    """The variance of the noise in a gradient, the difference of two pixels."""
    return 2 * measured.noise**2


def _posterior(measured, kernel):
    """Of the gradients: (mean, prior variances, misfit), each [2 batch, height, width]."""
    count = max(1, EVIDENCE_PIXELS // measured.window.size)
    shape = measured.window.shape
    gradients = gradients_of(measured.images[:count]).reshape(-1, *shape)
    noise, mass = _gradient_noise(measured), (kernel**2).sum()
    transfer = transfer_of(kernel, shape)
    power = np.abs(transfer) ** 2
    spectrum = transfer.conj() * scipy.fft.rfft2(gradients)
    target = scipy.fft.irfft2(spectrum, shape)
    sharp = scipy.fft.irfft2(spectrum / (power + noise / gradients.var()), shape)
    variances = np.maximum(sharp**2, 1e-5)
    for _ in range(EVIDENCE_ROUNDS):
        sharp = _posterior_mean(sharp, target, power, mass, noise / variances)
        variances = sharp**2 + 1 / (mass / noise + 1 / variances)
    misfit = scipy.fft.irfft2(transfer * scipy.fft.rfft2(sharp), shape) - gradients
    return sharp, variances, misfit


def _posterior_mean(start, target, power, mass, weights):
    """Solves (K'K + weights) x = target by conjugate gradients with a diagonal preconditioner."""
    shape = start.shape[1:]

    def times(images):
        return scipy.fft.irfft2(power * scipy.fft.rfft2(images), shape) + weights * images

    def inner(a, b):
        return (a * b).sum(axis=(1, 2), keepdims=True)

    images, residual = start, target - times(start)
    conditioned = residual / (mass + weights)
    direction, size = conditioned, inner(residual, conditioned)
    for _ in range(CONJUGATE_STEPS):
        image = times(direction)
        step = size / (inner(direction, image) + 1e-30)
        images, residual = images + step * direction, residual - step * image
        conditioned = residual / (mass + weights)
        following = inner(residual, conditioned)
        direction = conditioned + following / (size + 1e-30) * direction
        size = following
    return images
