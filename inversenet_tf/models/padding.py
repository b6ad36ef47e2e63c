"""Any image size for networks that halve it: extend to a multiple, crop back."""

import tensorflow as tf

from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.config import BOUNDARIES
from inversenet_tf.imaging.physics.operators import folded


def pad_to_multiple(images, multiple, boundary="circular", scale=1):
    """Extends images beyond their borders until height and width are multiples of `multiple`.

    Half goes on either side. Works for images smaller than the padding, which then repeats.

    Args:
        images: [batch, height, width, channels].
        multiple: positive integer.
        boundary: "circular" goes on with the opposite border, "reflect" with the mirror image.
            The operator's own is the right one: padded like that, a measurement looks near the
            border as it does inside.
        scale: the border before the images is a multiple of it, as that of a measurement that is
            so many times smaller would become.

    Returns:
        [batch, height', width', channels], height' and width' the next multiples.
    """
    check_choice("boundary", boundary, BOUNDARIES)
    for axis in (1, 2):
        if images.shape[axis] is not None and images.shape[axis] % multiple == 0:
            continue
        size = tf.shape(images)[axis]
        positions = padded_positions(size, multiple, boundary, scale)
        before = _before(tf.shape(positions)[0] - size, scale)
        # What is there already is copied, which costs less than to gather it.
        beyond = positions[:before], positions[before + size :]
        first, last = (tf.gather(images, places, axis=axis) for places in beyond)
        images = tf.concat([first, images, last], axis=axis)
    return images


def _before(extra, scale):
    """How many of the pixels that are added stand before the image."""
    return extra // scale // 2 * scale


def padded_positions(size, multiple, boundary, scale=1):
    """Which pixel of one axis stands at each place of the padded one: int tensor [size'].

    Args:
        size: of the axis, an int or a scalar tensor.
        multiple, boundary, scale: as for `pad_to_multiple`.
    """
    extra = (multiple - size % multiple) % multiple  # as `folded`, without negative remainders
    return folded(tf.range(size + extra) - _before(extra, scale), size, boundary)


def crop_to(images, size, scale=1):
    """Undoes `pad_to_multiple`, also of what has since become `scale` times as large.

    Args:
        images: [batch, height, width, channels].
        size: [height, width] of what remains, a multiple of `scale`.
    """
    top, left = tf.unstack((tf.shape(images)[1:3] - size) // scale // 2 * scale)
    return images[:, top : top + size[0], left : left + size[1]]
