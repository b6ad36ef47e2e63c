"""Converts between the pixels of files and float32 in [0, 1]; only here does 255 appear."""

import numpy as np
import tensorflow as tf

WHITE = 255.0  # stands for 1.0 in a file of 8 bits
WHITE_16_BITS = 65535.0
# Of a PNG, 1 to 9: takes half the time of the usual 6, for files that are 2 % larger.
PNG_COMPRESSION = 4
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601's weights of red, green and blue


def turned_upright(pixels, orientation):
    """Rotates or mirrors pixels [height, width, ...] as an EXIF orientation asks."""
    turn = {
        2: lambda: pixels[:, ::-1],
        3: lambda: pixels[::-1, ::-1],
        4: lambda: pixels[::-1],
        5: lambda: pixels.swapaxes(0, 1),
        6: lambda: np.rot90(pixels, -1),
        7: lambda: np.rot90(pixels, 2).swapaxes(0, 1),
        8: lambda: np.rot90(pixels),
    }.get(orientation)
    return pixels if turn is None else turn()


def to_integers(images, dtype):
    """float images in [0, 1] -> uint8 or uint16, rounded to nearest; values outside are clipped."""
    return np.round(np.clip(images, 0.0, 1.0) * np.float32(np.iinfo(dtype).max)).astype(dtype)


def from_integers(images):
    """uint8 or uint16 images -> float32 in [0, 1]."""
    images = np.asarray(images)
    return images.astype(np.float32) / np.float32(np.iinfo(images.dtype).max)


def to_uint8(images):
    """float images in [0, 1] -> uint8, rounded to nearest; values outside are clipped."""
    return to_integers(images, np.uint8)


def to_luma(images):
    """RGB [..., 3] -> BT.601 luma [..., 1], as in Pillow's mode "L"; of arrays or tensors."""
    if tf.is_tensor(images):
        return tf.tensordot(images, tf.constant(LUMA), 1)[..., tf.newaxis]
    return (images @ LUMA)[..., None]


def to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Converts integer pixels of 1 or 3 channels to 1 (BT.601 luma, rounded) or 3 (repeated)."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    luma = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(LUMA):  # one by one, to need float memory for one only
        luma += pixels[..., channel] * weight
    return np.round(luma).astype(pixels.dtype)[..., np.newaxis]


def is_gray(pixels: np.ndarray) -> bool:
    """Whether all channels of an image are the same."""
    # A few pixels suffice to find most colour images.
    return all(
        np.array_equal(part[..., :1].repeat(part.shape[-1] - 1, -1), part[..., 1:])
        for part in (pixels[..., ::16, ::16, :], pixels)
    )
