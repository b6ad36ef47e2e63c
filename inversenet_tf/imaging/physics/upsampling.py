"""Bicubic upsampling of measurements to the grid of their images."""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.kernels import cubic
from inversenet_tf.imaging.physics.operators import folded

BICUBIC_REACH = 2  # measurement pixels on either side that the interpolation depends on


def bicubic(measurements, scale, phase=None, boundary=None, clip=True):
    """Bicubic interpolation to `scale` times the height and width.

    Args:
        measurements: [batch, height, width, channels] of any size.
        scale: image pixels per measurement pixel along each side.
        phase: measurement pixel i is at image pixel i * scale + phase, like an operator's `phase`.
            None: at the centre of its block, as in `tf.image.resize`.
        boundary: how the image continues beyond its borders, one of `BOUNDARIES`. None: not at all.
        clip: whether the result, which overshoots at edges, is clipped to [0, 1].

    Returns:
        float32 images [batch, scale * height, scale * width, channels].
    """
    measurements = tf.cast(measurements, tf.float32)
    height, width = measurements.shape[1:3]
    phase = (scale - 1) / 2 if phase is None else phase
    if boundary is None:
        resized = _interpolated(measurements, scale, phase)
    else:
        resized = _interpolated_beyond(measurements, scale, phase, boundary)
    resized = tf.ensure_shape(
        resized, [None, height and scale * height, width and scale * width, measurements.shape[-1]]
    )
    return tf.clip_by_value(resized, 0.0, 1.0) if clip else resized


def _interpolated(measurements, scale, phase):
    """Interpolates by TensorFlow's operation, which leaves out what is beyond the borders."""
    return tf.raw_ops.ScaleAndTranslate(
        images=measurements,
        size=scale * tf.shape(measurements)[1:3],
        scale=tf.fill([2], float(scale)),
        # The op counts from the corner of a pixel, not from its centre.
        translation=tf.fill([2], phase + 0.5 - scale / 2),
        kernel_type="keyscubic",
        antialias=False,
    )


def _interpolated_beyond(measurements, scale, phase, boundary):
    """The same with a boundary: a convolution with one kernel for each new pixel of an old one.

    LiteRT has convolutions, too, and on CPUs one takes half the time of TensorFlow's operation.
    """
    channels = measurements.shape[-1]
    for axis in (1, 2):
        size = tf.shape(measurements)[axis]
        places = tf.range(size + 2 * BICUBIC_REACH) - BICUBIC_REACH
        measurements = tf.gather(measurements, folded(places, size, boundary), axis=axis)
    taps = _cubic_taps(scale, phase)
    kernel = np.einsum("yt,xu,io->tuiyxo", taps, taps, np.eye(channels))
    kernel = kernel.reshape(*kernel.shape[:3], -1).astype(np.float32)
    pixels = tf.nn.conv2d(measurements, kernel, 1, "VALID")
    return pixels if scale == 1 else tf.nn.depth_to_space(pixels, scale)


def _cubic_taps(scale, phase):
    """Keys' kernel (a = -1/2) for each new pixel of an old one: [scale, 2 * BICUBIC_REACH + 1]."""
    offsets = (np.arange(scale)[:, np.newaxis] - phase) / scale
    return cubic(offsets - np.arange(-BICUBIC_REACH, BICUBIC_REACH + 1))
