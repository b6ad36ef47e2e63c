"""Checks the arrays that users pass, and converts them to batches and back."""

from collections.abc import Callable

import numpy as np

from inversenet_tf.imaging.arrays import in_unit_range
from inversenet_tf.imaging.files.pixels import is_gray, to_channels, to_luma


def to_batch(images: np.ndarray, channels: int) -> tuple[np.ndarray, Callable]:
    """Converts one image or a batch of them to the form in which networks take measurements.

    Args:
        images: [height, width] (gray), [height, width, channels] or [batch, height, width,
            channels]; floating-point values in [0, 1], or unsigned integers of 8 or 16 bits.
        channels: of the network's measurements, 1 or 3. Gray images are repeated to get three.

    Returns:
        (batch, undo): float32 [batch, height, width, channels], and a function that converts the
        restored batch back to the rank of `images`, to gray if they were gray.

    Raises:
        ValueError: another rank, size, type or range, or values that are not finite.
    """
    try:
        images = np.asanyarray(images)
    except ValueError as error:  # of lists of different lengths
        raise ValueError(f"Expected an array. Received: {error}") from error
    if images.ndim not in (2, 3, 4) or 0 in images.shape:
        raise ValueError(
            "Expected an image [height, width] or [height, width, channels], or a batch [batch, "
            f"height, width, channels], none of them empty. Received: shape {images.shape}"
        )
    batch = images[np.newaxis, ..., np.newaxis] if images.ndim == 2 else images
    batch = in_unit_range(batch[np.newaxis] if batch.ndim == 3 else batch)
    given = batch.shape[-1]
    if given != channels and given != 1:
        raise ValueError(
            f"Expected images of {channels} {'channel' if channels == 1 else 'channels'}"
            f"{' or gray ones' if channels == 3 else ''}. Received: shape {images.shape}"
        )
    was_repeated = given < channels
    was_gray = given == channels == 3 and is_gray(batch)

    def undo(restored: np.ndarray) -> np.ndarray:
        if was_repeated:
            restored = to_luma(restored)
        elif was_gray and restored.shape[-1] == 3:
            restored = np.repeat(to_luma(restored), 3, axis=-1)
        if images.ndim == 4:
            return restored
        return restored[0, ..., 0] if images.ndim == 2 and restored.shape[-1] == 1 else restored[0]

    return np.repeat(batch, channels, axis=-1) if was_repeated else batch, undo


def as_gray_as(pixels: np.ndarray, restored: np.ndarray, measured_channels: int) -> np.ndarray:
    """The restored pixels, gray if the photograph is, unless the network colours its images.

    A gray photograph that is stored as RGB stays so, without the faint colours of a network.
    """
    channels = pixels.shape[-1]
    if channels < measured_channels:
        return to_channels(restored, 1)
    if channels == measured_channels == restored.shape[-1] == 3 and is_gray(pixels):
        return to_channels(to_channels(restored, 1), 3)
    return restored
