"""Classical rivals: what a restoration must beat to be worth training."""

import numpy as np
import tensorflow as tf
from skimage.restoration import wiener as wiener_hunt

from inversenet_tf.imaging.io import WHITE
from inversenet_tf.imaging.operators import extended

ROUNDING_VARIANCE = 1.0 / 12.0 / WHITE**2  # of the error that storage in 8 bits leaves
# Of a natural image in [0, 1]: 0.017 on the photographs `photos` holds out, more on small crops.
LAPLACIAN_VARIANCE = 2e-2
BICUBIC_REACH = 2  # measurement pixels that the interpolation takes in on either side


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


def bicubic(measurements, scale, phase=None, boundary=None, clip=True):
    """Bicubic interpolation to `scale` times the height and width.

    Args:
        measurements: [batch, height, width, channels] of any size.
        scale: image pixels, along each side, to a measurement pixel.
        phase: measurement pixel i stands at image pixel i * scale + phase, as an operator's `phase`
            says. None: at the centre of its block, as `tf.image.resize` has it.
        boundary: how the image goes on beyond its borders, one of `BOUNDARIES`. None: not at all.
        clip: whether the result, which overshoots at edges, is clipped to [0, 1].

    Returns:
        float32 images [batch, scale * height, scale * width, channels].
    """
    measurements = tf.convert_to_tensor(measurements)
    height, width = measurements.shape[1:3]
    size = scale * tf.shape(measurements)[1:3]
    phase = (scale - 1) / 2 if phase is None else phase
    # The op counts from the corner of a pixel, not from its centre.
    translation = tf.fill([2], phase + 0.5 - scale / 2)
    if boundary is not None:
        # A side too short for the whole margin is extended by what it has.
        margin = tf.minimum(BICUBIC_REACH, tf.shape(measurements)[1:3] - (boundary == "reflect"))
        measurements = extended(measurements, margin, margin, boundary)
        translation -= tf.cast(scale * margin, tf.float32)
    resized = tf.raw_ops.ScaleAndTranslate(
        images=measurements,
        size=size,
        scale=tf.fill([2], float(scale)),
        translation=translation,
        kernel_type="keyscubic",
        antialias=False,
    )
    resized = tf.ensure_shape(
        resized, [None, height and scale * height, width and scale * width, measurements.shape[-1]]
    )
    return tf.clip_by_value(resized, 0.0, 1.0) if clip else resized
