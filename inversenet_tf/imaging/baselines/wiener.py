"""Wiener-Hunt deconvolution, which is told the kernel."""

import numpy as np
from skimage.restoration import wiener as wiener_hunt

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

# Of a natural image in [0, 1]: the median is 0.017 over the photographs that `photos` trains on.
LAPLACIAN_VARIANCE = 2e-2
# Multiples of the default balance that `best_balance` tries, three to a decade.
TRIED = np.geomspace(1e-3, 1e3, 19)


def default_balance(noise_sigma=0.0):
    """The weight of the regulariser where there are no images to choose it on.

    It is the ratio of the noise's variance, rounding to 8 bits included, to the variance of a
    natural image's Laplacian, which is the optimum for Gaussian signals.
    """
    return (ROUNDING_VARIANCE + noise_sigma**2) / LAPLACIAN_VARIANCE


def best_balance(measurements, images, kernel, noise_sigma=0.0):
    """The balance that restores given images best, to a third of a decade.

    Args:
        measurements: [batch, height, width, channels] in [0, 1], of training images.
        images: those images.
        kernel, noise_sigma: as for `wiener`.
    """
    balances = TRIED * default_balance(noise_sigma)
    scores = [
        np.mean(psnr(wiener(measurements, kernel, noise_sigma, balance), images, MetricProfile()))
        for balance in balances
    ]
    return float(balances[int(np.argmax(scores))])


def wiener(measurements, kernel, noise_sigma=0.0, balance=None):
    """Wiener-Hunt deconvolution with the kernel known and the boundary taken as circular.

    Args:
        measurements: [batch, height, width, channels] in [0, 1].
        kernel: [height, width] or [height, width, channels] point spread function.
        noise_sigma: standard deviation of the sensor's noise.
        balance: weight of the regulariser, the Laplacian; None: `default_balance(noise_sigma)`.

    Returns:
        float32 images of the same shape, clipped to [0, 1].
    """
    measurements = as_batch(measurements, "measurements")
    balance = default_balance(noise_sigma) if balance is None else balance
    kernels = np.broadcast_to(
        kernel if kernel.ndim == 3 else kernel[..., None],
        (*kernel.shape[:2], measurements.shape[-1]),
    )
    restored = np.empty(measurements.shape, np.float32)
    for index, measurement in enumerate(np.asarray(measurements)):
        for channel in range(measurement.shape[-1]):
            restored[index, ..., channel] = wiener_hunt(
                measurement[..., channel], kernels[..., channel], balance, clip=False
            )
    return np.clip(restored, 0.0, 1.0)
