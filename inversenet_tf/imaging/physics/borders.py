"""The border of a frame: how an image is continued beyond it, and how much light is lost there."""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.deconvolution import kernels_as_batch
from inversenet_tf.imaging.physics.operators import folded


def extended_periodically(measurements: tf.Tensor, margins: tf.Tensor) -> tf.Tensor:
    """Extends images below and to the right so that they become periodic without a jump.

    The extension is the image mirrored at its end, fading into the image mirrored at its start. A
    small image is mirrored as often as needed.

    Args:
        measurements: [batch, height, width, channels].
        margins: pixels added to the height and to the width.
    """
    for axis in (1, 2):
        margin = margins[axis - 1]
        places = tf.range(1, margin + 1, dtype=tf.int32) / (margin + 1)
        fade = 0.5 - 0.5 * tf.cos(np.pi * tf.cast(places, tf.float32))
        weights = tf.reshape(fade, [-1 if i == axis else 1 for i in range(4)])
        size = tf.shape(measurements)[axis]
        behind = folded(size + tf.range(margin), size, "reflect")
        before = folded(tf.range(margin) - margin, size, "reflect")
        behind = tf.gather(measurements, behind, axis=axis)
        before = tf.gather(measurements, before, axis=axis)
        measurements = tf.concat([measurements, behind + weights * (before - behind)], axis=axis)
    return measurements


def with_frame(padded: tf.Tensor, frame: tf.Tensor) -> tf.Tensor:
    """Puts the frame, which is known, back into the upper left of padded images.

    Both are [batch, channels, height, width].
    """
    height, width = tf.shape(frame)[2], tf.shape(frame)[3]
    upper = tf.concat([frame, padded[..., :height, width:]], axis=3)
    return tf.concat([upper, padded[..., height:, :]], axis=2)


def unseen(kernels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The share of each pixel's light that a blur carries beyond the frame, 1 - A^T 1.

    Args:
        kernels: as for `solvers.solve`, each of sum 1.
        size: [height, width] of the frame.

    Returns:
        float32 [1 or batch, height, width, 1], the mean of the kernels' channels.
    """
    kernels = tf.reduce_mean(kernels_as_batch(kernels), axis=-1)
    rows, columns = (_within(size[axis], tf.shape(kernels)[axis + 1]) for axis in (0, 1))
    seen = tf.matmul(tf.matmul(rows, kernels), columns, transpose_b=True)
    return tf.clip_by_value(1.0 - seen[..., tf.newaxis], 0.0, 1.0)


def _within(size, side):
    """Which of a kernel's taps fall into the frame for each pixel: [size, side], 0 or 1."""
    places = tf.range(size)[:, tf.newaxis] + tf.range(side) - side // 2
    return tf.cast((places >= 0) & (places < size), tf.float32)
