"""Checks what an image file's header claims, before any of its pixels are decoded."""

import os

from inversenet_tf.imaging.files.memory import check_fits

LARGEST = 1_000_000_000  # pixels
# Formats with a limit on pixels per byte, even for an image of one colour: deflate expands a byte
# to at most 1032, each of which holds eight pixels of two colours.
BOUNDED_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "PPM")
MOST_PIXELS_PER_BYTE = 10_000
BYTES_OF_MODE = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # else 4


def decoded_bytes(image):
    """Returns the bytes of memory that the decoded pixels of a Pillow image take."""
    return image.width * image.height * BYTES_OF_MODE.get(image.mode, 4)


def check_header(image):
    """Raises ValueError if a Pillow image that was just opened claims too many pixels.

    Too many are more than `LARGEST`, than its file can hold, or than there is memory for.
    """
    claim = f"its header claims {image.width}x{image.height} pixels"
    pixels = image.width * image.height
    if pixels > LARGEST:
        raise ValueError(f"{claim}; at most {LARGEST} are read")
    if image.format in BOUNDED_FORMATS and image.fp is not None:
        stored = _bytes_of(image.fp)
        if pixels > MOST_PIXELS_PER_BYTE * stored:
            raise ValueError(f"{claim}, which {stored} bytes cannot hold")
    check_fits(decoded_bytes(image), f"{image.width}x{image.height} pixels")


def _bytes_of(file):
    place = file.tell()
    try:
        return file.seek(0, os.SEEK_END)
    finally:
        file.seek(place)
