"""Lets networks take images of any size: pads them to a multiple, and crops the results."""

import tensorflow as tf

from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.config import BOUNDARIES
from inversenet_tf.imaging.physics.operators import folded


def pad_to_multiple(images, multiple, boundary="circular", scale=1):
    """Pads images on all sides until height and width are multiples of `multiple`.

    Half of the padding goes on either side. It repeats where images are smaller than the padding.

    Args:
        images: [batch, height, width, channels].
        multiple: positive integer.
        boundary: "circular" continues with the opposite border, "reflect" with the mirror image.
            It should be the operator's, so that a measurement looks the same near the border as
            inside.
        scale: makes the padding before the image a multiple of it, to match that of a measurement
            that is smaller by this factor.

    Returns:
        [batch, height', width', channels], with the next multiples as height' and width'.
    """
    check_choice("boundary", boundary, BOUNDARIES)
    for axis in (1, 2):
        if images.shape[axis] is not None and images.shape[axis] % multiple == 0:
            continue
        size = tf.shape(images)[axis]
        positions = padded_positions(size, multiple, boundary, scale)
        before = _before(tf.shape(positions)[0] - size, scale)
        # The image itself is copied, which costs less than gathering it.
        beyond = positions[:before], positions[before + size :]
        first, last = (tf.gather(images, places, axis=axis) for places in beyond)
        images = tf.concat([first, images, last], axis=axis)
    return images


def _before(extra, scale):
    """How many of the added pixels are before the image."""
    return extra // scale // 2 * scale


def padded_positions(size, multiple, boundary, scale=1):
    """Which pixel of an axis is at each position of the padded axis: int tensor [size'].

    Args:
        size: of the axis, an int or a scalar tensor.
        multiple, boundary, scale: as for `pad_to_multiple`.
    """
    extra = (multiple - size % multiple) % multiple  # as `folded`, without negative remainders
    return folded(tf.range(size + extra) - _before(extra, scale), size, boundary)


def crop_to(images, size, scale=1):
    """Undoes `pad_to_multiple`, also for images that have been upsampled by `scale` since.

    Args:
        images: [batch, height, width, channels].
        size: [height, width] of the result, a multiple of `scale`.
    """
    top, left = tf.unstack((tf.shape(images)[1:3] - size) // scale // 2 * scale)
    return images[:, top : top + size[0], left : left + size[1]]
