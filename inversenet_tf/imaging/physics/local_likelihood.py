"""How well a kernel explains photographs whose gradients vary in strength from place to place.

Around each pixel the sharp image is assumed Gaussian, with the spectrum v / |frequency|^2 of
natural images and its own strength v. Unlike `marginal_likelihood`, which assumes white noise in
the gradients and a posterior that is independent between pixels, this models the noise as it is,
white in the pixels, and the uncertainty that a blur leaves at each frequency.
"""

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter

from inversenet_tf.imaging.physics.blur_model import (
    Measured,
    adjoint_of_gradients,
    difference_power,
    gradients_of,
    squared,
    transfer_of,
)

ROUNDS, CONJUGATE_STEPS = 8, 5  # alternations of strengths and image; steps on the image in each
NEIGHBOURHOOD = 3  # pixels a side that share a strength
LEAST_START, LEAST_STRENGTH = 1e-5, 1e-8  # least strength at the start and after each round
LEVELS = 24  # of the strength, between which functions of it are interpolated
EVERY = 2  # means over frequencies take every second one along each axis
TINY = np.float32(1e-9)


def local_cost(measured: Measured, kernel: np.ndarray) -> float:
    """How badly a kernel explains the images.

    The cost is twice the negative log likelihood of y with the sharp image x integrated out; the
    strengths v are estimated along with x:

        |y - k * x|^2 / s + sum |gradient of x|^2 / v + sum mean log(s + v |K|^2 / |D|^2),

    with the mean over the frequencies, K the kernel's transfer and D the gradient's.

    Args:
        measured: the images.
        kernel: [side, side], side odd.

    Returns:
        The cost per pixel; only differences between kernels are meaningful.
    """
    shape, noise = measured.window.shape, np.float32(measured.noise**2)
    transfer = transfer_of(np.asarray(kernel, np.float32), shape)
    power, differences = squared(transfer), difference_power(shape)
    some = (slice(None, None, EVERY),) * 2
    means = _OverFrequencies(power[some].ravel()[1:], differences[some].ravel()[1:], noise)
    target = transfer.conj() * measured.spectrum
    flat = float(np.square(gradients_of(measured.images)).sum(axis=0).mean())
    images = scipy.fft.irfft2(target / (power + noise / (flat + TINY) * differences + TINY), shape)
    strengths = _smoothed(_energies(images), LEAST_START)
    target, mass = scipy.fft.irfft2(target, shape), np.float32(np.square(kernel).sum())
    for _ in range(ROUNDS):
        images = _posterior_mean(images, target, power, mass, noise / strengths)
        strengths = _smoothed(_energies(images) + means.uncertainty(strengths), LEAST_STRENGTH)
    misfit = scipy.fft.irfft2(transfer * scipy.fft.rfft2(images), shape) - measured.images
    cost = misfit**2 / noise + 2 * _energies(images) / strengths + means.determinant(strengths)
    return float((cost * measured.window).sum() / measured.window.sum() / len(cost))


class _OverFrequencies:
    """Means over the frequencies, as functions of the strength."""

    def __init__(self, power, differences, noise):
        self._power, self._differences, self._noise = power, differences, noise

    def uncertainty(self, strengths):
        """The posterior variance of a gradient, averaged over both directions."""
        ratio = self._power / self._noise / self._differences
        return self._of(strengths, lambda v: (1 / (ratio + 1 / v)).mean() / 2)

    def determinant(self, strengths):
        """The mean log variance of the measurements."""
        ratio = self._power / self._differences
        return self._of(strengths, lambda v: np.log(self._noise + v * ratio).mean())

    def _of(self, strengths, function):
        logs = np.log(strengths)
        levels = np.linspace(logs.min(), logs.max(), LEVELS)
        values = [function(level) for level in np.exp(levels)]
        return np.interp(logs, levels, values).astype(np.float32)


def _energies(images):
    """The squared gradients, averaged over both directions."""
    return np.square(gradients_of(images)).sum(axis=0) / 2


def _smoothed(strengths, least):
    size = (1, NEIGHBOURHOOD, NEIGHBOURHOOD)
    return np.maximum(uniform_filter(strengths, size, mode="wrap"), np.float32(least))


def _posterior_mean(start, target, power, mass, weights):
    """Solves (K'K + D' weights D) x = target by conjugate gradients, diagonally preconditioned."""
    shape = start.shape[-2:]
    diagonal = mass + 2 * weights + np.roll(weights, 1, -1) + np.roll(weights, 1, -2)

    def times(images):
        spectrum = scipy.fft.rfft2(images)
        spectrum *= power
        blurred = scipy.fft.irfft2(spectrum, shape, overwrite_x=True)
        return blurred + adjoint_of_gradients(gradients_of(images) * weights)

    def inner(a, b):
        return (a * b).sum(axis=(-2, -1), keepdims=True)

    images, residual = start, target - times(start)
    conditioned = residual / diagonal
    direction, size = conditioned, inner(residual, conditioned)
    for _ in range(CONJUGATE_STEPS):
        image = times(direction)
        step = size / (inner(direction, image) + np.float32(1e-30))
        images = images + step * direction
        residual = residual - step * image
        conditioned = residual / diagonal
        following = inner(residual, conditioned)
        direction = conditioned + following / (size + np.float32(1e-30)) * direction
        size = following
    return images
