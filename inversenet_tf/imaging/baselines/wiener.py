"""Wiener-Hunt deconvolution, which is told the kernel."""

import numpy as np
from skimage.restoration import wiener as wiener_hunt

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

# Of a natural image in [0, 1]: 0.017 on the photographs `photos` holds out, more on small crops.
LAPLACIAN_VARIANCE = 2e-2


def wiener(measurements, kernel, noise_sigma=0.0):
    """Wiener-Hunt deconvolution with the kernel known and the boundary taken as circular.

    The regulariser is the Laplacian, weighted by the ratio of the noise's variance (rounding to
    8 bits included) to the variance of a natural image's Laplacian, which is the optimum for
    Gaussian signals.

    Args:
        measurements: [batch, height, width, channels] in [0, 1].
        kernel: [height, width] or [height, width, channels] point spread function.
        noise_sigma: standard deviation of the sensor's noise.

    Returns:
        float32 images of the same shape, clipped to [0, 1].
    """
    measurements = as_batch(measurements, "measurements")
    balance = (ROUNDING_VARIANCE + noise_sigma**2) / LAPLACIAN_VARIANCE
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
