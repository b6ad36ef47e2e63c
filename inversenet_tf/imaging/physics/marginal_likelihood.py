"""How well a kernel explains blurred images, with the sharp gradients integrated out."""

from collections.abc import Sequence

import numpy as np
import scipy.fft

from inversenet_tf.imaging.physics.blur_model import Measured, gradients_of, squared, transfer_of

EVIDENCE_PIXELS = 2**15  # as many whole images are looked at, but at least one
EVIDENCE_ROUNDS, CONJUGATE_STEPS = 6, 5
VALUES_AT_ONCE = 2**18  # gradients times kernels that are evaluated together: what a cache holds


def marginal_cost(measured: Measured, kernel: np.ndarray) -> float:
    """How badly a kernel explains the images, whatever the sharp image.

    Each gradient x has its own variance v, estimated along with it. The cost is twice the negative
    log likelihood of y with x integrated out, with a posterior that is assumed independent between
    pixels (Wipf and Zhang 2014, Eq. 8):

        |y - k * x|^2 / s + sum x^2 / v + sum log(s + v |k|^2).

    Args:
        measured: the images.
        kernel: [side, side].

    Returns:
        The cost per gradient; only differences between kernels are meaningful.
    """
    return marginal_costs(measured, [kernel])[0]


def marginal_costs(measured: Measured, kernels: Sequence[np.ndarray]) -> list[float]:
    """`marginal_cost` of several kernels of one size, evaluated in groups that fit the cache."""
    shape = measured.window.shape
    count = max(1, EVIDENCE_PIXELS // measured.window.size)
    gradients = gradients_of(measured.images[:count]).reshape(-1, *shape)
    at_once = max(1, VALUES_AT_ONCE // gradients.size)
    costs = []
    for first in range(0, len(kernels), at_once):
        some = np.stack(kernels[first : first + at_once]).astype(np.float32)
        costs += _costs(measured, gradients, some)
    return costs


def _costs(measured, gradients, kernels):
    sharp, variances, misfit = _posterior(measured, gradients, kernels)
    noise, mass = _gradient_noise(measured), _masses(kernels)
    cost = misfit**2 / noise + sharp**2 / variances + np.log(noise + variances * mass)
    weights = measured.window / (measured.window.sum() * len(gradients))
    return np.tensordot(cost.sum(axis=1), weights, axes=2).tolist()


def _gradient_noise(measured):
    """The variance of the noise in a gradient, the difference of two pixels."""
    return 2 * measured.noise**2


def _masses(kernels):
    """|k|^2 of each kernel: [kernels, 1, 1, 1]."""
    return (kernels**2).sum(axis=(1, 2)).reshape(-1, 1, 1, 1)


def _posterior(measured, gradients, kernels):
    """(mean, prior variances, misfit) of the gradients for each kernel.

    Each is [kernels, gradients, height, width].
    """
    shape = gradients.shape[1:]
    noise, mass = np.float32(_gradient_noise(measured)), _masses(kernels)
    transfer = transfer_of(kernels, shape)[:, np.newaxis]
    power = squared(transfer)
    spectrum = transfer.conj() * scipy.fft.rfft2(gradients)
    target = scipy.fft.irfft2(spectrum, shape)
    spectrum /= power + noise / gradients.var()
    sharp = scipy.fft.irfft2(spectrum, shape, overwrite_x=True)
    variances = np.maximum(sharp**2, np.float32(1e-5))
    for _ in range(EVIDENCE_ROUNDS):
        sharp = _posterior_mean(sharp, target, power, mass, noise / variances)
        variances = sharp**2 + 1 / (mass / noise + 1 / variances)
    misfit = scipy.fft.irfft2(transfer * scipy.fft.rfft2(sharp), shape) - gradients
    return sharp, variances, misfit


def _posterior_mean(start, target, power, mass, weights):
    """Solves (K'K + weights) x = target by conjugate gradients with a diagonal preconditioner."""
    shape = start.shape[-2:]
    preconditioner = 1 / (mass + weights)

    def times(images):
        spectrum = scipy.fft.rfft2(images)
        spectrum *= power
        blurred = scipy.fft.irfft2(spectrum, shape, overwrite_x=True)
        blurred += weights * images
        return blurred

    def inner(a, b):
        return (a * b).sum(axis=(-2, -1), keepdims=True)

    images, residual = start, target - times(start)
    conditioned = residual * preconditioner
    direction, size = conditioned, inner(residual, conditioned)
    for _ in range(CONJUGATE_STEPS - 1):
        image = times(direction)
        step = size / (inner(direction, image) + np.float32(1e-30))
        images = images + step * direction
        residual -= step * image
        conditioned = residual * preconditioner
        following = inner(residual, conditioned)
        direction = conditioned + following / (size + np.float32(1e-30)) * direction
        size = following
    return images + size / (inner(direction, times(direction)) + np.float32(1e-30)) * direction
