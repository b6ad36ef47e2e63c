"""Any image size for networks that halve it: mirror out to a multiple, crop back."""

import tensorflow as tf


def pad_to_multiple(images, multiple):
    """Mirrors images at their borders until height and width are multiples of `multiple`.

    Works for images smaller than the padding, by mirroring again. Half goes on either side.

    Args:
        images: [batch, height, width, channels].
        multiple: positive integer.

    Returns:
        [batch, height', width', channels], height' and width' the next multiples.
    """
    for axis in (1, 2):
        if images.shape[axis] is not None and images.shape[axis] % multiple == 0:
            continue
        size = tf.shape(images)[axis]
        extra = -size % multiple
        positions = tf.range(size + extra) - extra // 2
        folded = positions % (2 * size)  # 0 ... size-1 forwards, then backwards
        mirrored = tf.minimum(folded, 2 * size - 1 - folded)
        images = tf.gather(images, mirrored, axis=axis)
    return images


def crop_to(images, size):
    """Undoes `pad_to_multiple`: the central `size` = [height, width] pixels."""
    top, left = tf.unstack((tf.shape(images)[1:3] - size) // 2)
    return images[:, top : top + size[0], left : left + size[1]]
