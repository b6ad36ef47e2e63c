"""How well a kernel explains photographs whose gradients are strong in some places, weak in others.

Around each pixel the sharp image is taken for Gaussian, with the spectrum v / |frequency|^2 of
natural images and a strength v of its own. Unlike `marginal_likelihood`, which takes the noise of
the gradients for white and their posterior for independent between pixels, this knows the noise as
it is, white in the pixels, and what a blur leaves uncertain at each frequency.
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

ROUNDS, CONJUGATE_STEPS = 8, 5  # of strengths and image by turns, and of the image in each
NEIGHBOURHOOD = 3  # pixels a side that share a strength
LEAST_START, LEAST_STRENGTH = 1e-5, 1e-8  # of the first round, and of the others
LEVELS = 24  # of the strength, between which what depends on it is interpolated
EVERY = 2  # which frequencies along each axis means over them are taken of
TINY = np.float32(1e-9)


def local_cost(measured: Measured, kernel: np.ndarray) -> float:
    """How badly a kernel explains the images.

    It is twice the negative logarithm of the likelihood of y with the sharp image x integrated out,
    whose strengths v are found with it:

        |y - k * x|^2 / s + sum |gradient of x|^2 / v + sum mean log(s + v |K|^2 / |D|^2),

    the mean over the frequencies, at which K is the kernel's transfer and D the gradient's.

    Args:
        measured: the images.
        kernel: [side, side], side odd.

    Returns:
        The cost a pixel; differences between kernels are what it is good for.
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
    """What is averaged over the frequencies, for each strength."""

    def __init__(self, power, differences, noise):
        self._power, self._differences, self._noise = power, differences, noise

    def uncertainty(self, strengths):
        """The posterior variance of a gradient, the mean of both directions."""
        ratio = self._power / self._noise / self._differences
        return self._of(strengths, lambda v: (1 / (ratio + 1 / v)).mean() / 2)

    def determinant(self, strengths):
        """The logarithm of the measurements' variance."""
        ratio = self._power / self._differences
        return self._of(strengths, lambda v: np.log(self._noise + v * ratio).mean())

    def _of(self, strengths, function):
        logs = np.log(strengths)
        levels = np.linspace(logs.min(), logs.max(), LEVELS)
        values = [function(level) for level in np.exp(levels)]
        return np.interp(logs, levels, values).astype(np.float32)


def _energies(images):
    """Half of the squared gradients: the mean of both directions."""
    return np.square(gradients_of(images)).sum(axis=0) / 2


def _smoothed(strengths, least):
    size = (1, NEIGHBOURHOOD, NEIGHBOURHOOD)
    return np.maximum(uniform_filter(strengths, size, mode="wrap"), np.float32(least))


def _posterior_mean(start, target, power, mass, weights):
    """Solves (K'K + D' weights D) x = target by conjugate gradients, preconditioned diagonally."""
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
