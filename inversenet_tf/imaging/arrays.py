"""Checks and converts the rank, type and range of the arrays that callers pass."""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.files.pixels import WHITE, WHITE_16_BITS, from_integers

# Noise may take a measurement a little beyond [0, 1]; values on another scale, such as the [-1, 1]
# of networks, go further.
LEAST, GREATEST = -0.5, 1.5
BATCH = "[batch, height, width, channels]"


def as_batch(images, name="images"):
    """Converts a batch of images of any range to floating point, for a function of tensors.

    Args:
        images: [batch, height, width, channels] of floating-point numbers, or of unsigned integers
            of 8 or 16 bits, which are scaled to [0, 1].
        name: what an error calls them.

    Returns:
        Images of the same shape, converted by `as_floats`; anything but an array, list or tensor,
        such as Keras' symbolic inputs, is returned unchanged.

    Raises:
        ValueError: another rank or type.
    """
    if not isinstance(images, (np.ndarray, np.generic, list, tuple, tf.Tensor)):
        return images
    images = images if tf.is_tensor(images) else np.asarray(images)
    rank = images.shape.rank if tf.is_tensor(images) else images.ndim
    if rank not in (4, None):
        hint = "; one image is a batch of one as image[np.newaxis]" if rank in (2, 3) else ""
        raise ValueError(f"Expected {name} {BATCH}{hint}. Received: shape {tuple(images.shape)}")
    return as_floats(images, name)


def as_floats(values, name="images"):
    """Converts floating-point values to float32, and integers of 8 or 16 bits to [0, 1].

    Integers must be unsigned. Tensors of less than 64 bits keep their floating-point type.

    Raises:
        ValueError: values of another type.
    """
    if tf.is_tensor(values):
        if values.dtype.is_floating:
            return tf.cast(values, tf.float32) if values.dtype == tf.float64 else values
        if values.dtype in (tf.uint8, tf.uint16):
            return tf.cast(values, tf.float32) / np.float32(values.dtype.max)
        received = values.dtype.name
    else:
        if values.dtype in (np.uint8, np.uint16):
            return from_integers(values)
        if np.issubdtype(values.dtype, np.floating):
            return values.astype(np.float32, copy=False)
        received = values.dtype
    raise ValueError(
        f"Expected {name} of floating-point values in [0, 1], or of unsigned integers of 8 or 16 "
        f"bits. Received: {received}"
    )


def in_unit_range(values, name="values"):
    """Converts values as `as_floats` does, and checks that they lie in [0, 1] up to noise.

    Raises:
        ValueError: another type, a masked array, or values that are not finite or on another scale.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"Expected {name} without missing values. Received: a masked array")
    values = as_floats(np.asarray(values), name)
    if not np.isfinite(values).all():
        raise ValueError(
            f"Expected finite {name}. Received: some that are infinite or not a number"
        )
    least, greatest = values.min(initial=0.0), values.max(initial=0.0)
    if least < LEAST or greatest > GREATEST:
        raise ValueError(
            f"Expected {name} in [0, 1]. Received: from {least:g} to {greatest:g}; "
            f"{scale_advice(least, greatest)}"
        )
    return values


def images_of(images: np.ndarray | list[np.ndarray]) -> list[np.ndarray]:
    """Returns one image, a batch or a list as a list of float32 [height, width, 1 or 3] in [0, 1].

    Args:
        images: [height, width], [height, width, channels], [batch, height, width, channels], or a
            list of images of any sizes; with 1, 3 or 4 channels (the fourth is dropped), in
            [0, 1] or integers of 8 or 16 bits.

    Raises:
        ValueError: another rank, number of channels or range, or no image.
    """
    if not isinstance(images, list | tuple):
        array = np.asarray(images)
        images = list(array) if array.ndim == 4 else [array]
    if not images:
        raise ValueError("Expected at least one image. Received: none")
    return [_image_of(np.asarray(image)) for image in images]


def _image_of(array):
    image = array[..., np.newaxis] if array.ndim == 2 else array
    if image.ndim != 3 or image.shape[-1] not in (1, 3, 4) or not image.size:
        raise ValueError(
            "Expected images [height, width] or [height, width, channels] with 1, 3 or 4 channels. "
            f"Received: shape {array.shape}"
        )
    return in_unit_range(image[..., :3], "images")


def check_scale(images):
    """Raises ValueError for floating-point images that hold whole numbers, as a file stores them.

    Other values outside [0, 1] pass.
    """
    least, greatest = images.min(initial=0.0), images.max(initial=0.0)
    if images.dtype.kind == "f" and greatest > GREATEST and (images == np.round(images)).all():
        raise ValueError(
            f"Expected images in [0, 1]. Received: whole numbers from {least:g} to {greatest:g}; "
            f"{scale_advice(least, greatest)}"
        )


def scale_advice(least, greatest):
    """Returns advice on how to bring values from `least` to `greatest` into [0, 1]."""
    if -1 <= least < LEAST and greatest <= 1:
        return "add 1 and divide by 2, as they look like values in [-1, 1]"
    for bits, white in ((8, WHITE), (16, WHITE_16_BITS)):
        if least >= 0 and GREATEST < greatest <= white:
            return f"divide by {white:g}, as they look like integers of {bits} bits"
    return "8-bit and 16-bit integers are converted; divide values on other scales first"
