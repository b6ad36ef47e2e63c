"""Reads untrusted image files as float32 arrays in [0, 1], and writes such arrays."""

import contextlib
import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from inversenet_tf.imaging.files import kinds
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.deep_pixels import deep_pixels, is_deep
from inversenet_tf.imaging.files.headers import check_header, decoded_bytes
from inversenet_tf.imaging.files.memory import check_fits
from inversenet_tf.imaging.files.paths import check_regular
from inversenet_tf.imaging.files.pixels import (
    PNG_COMPRESSION,
    WHITE,
    WHITE_16_BITS,
    from_integers,
    to_luma,
    to_uint8,
    turned_upright,
)

# The formats as which Pillow may open a file, whatever its name: others include programs such as
# EPS, which it hands to Ghostscript.
RASTER_FORMATS = (
    *("PNG", "JPEG", "MPO", "JPEG2000", "AVIF", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "HEIF"),
)
PNG_TEXT = 2**24  # bytes of one text of a PNG, in which editors store their whole history
EXIF_ORIENTATION = 0x0112  # the tag
TURNED = range(5, 9)  # its values that swap height and width
PILLOW_MODES = {1: "L", 3: "RGB"}
JPEG_END = b"\xff\xd9"
JPEG_MARGIN = 2  # pixels around a part that affect its own
SMALL_PART = 0.25  # of an image's pixels; larger parts are decoded with the rest


class ImageReadError(ValueError):
    """A file that should hold an image cannot be decoded; the message names it."""


def unreadable_image(error):
    """Returns the message of the `ImageReadError` that ended a data pipeline, or None.

    Args:
        error: TensorFlow's, which holds the traceback as text.
    """
    found = re.search(r"ImageReadError: (.+)", str(error))
    return found[1] if found else None


@contextlib.contextmanager
def opened(file, name):
    """Opens an image file with Pillow; any error while it is in use names the file.

    Args:
        file: a path, or a binary file object.
        name: what an error calls the file.

    Yields:
        The Pillow image.

    Raises:
        ImageReadError: in place of any other exception.
    """
    try:
        if refusal := kinds.why_refused(name):
            raise ValueError(refusal)
        if isinstance(file, str | os.PathLike):
            check_regular(file)
        kinds.prepare_for(file)
        with Image.open(file, formats=_known_formats()) as image:
            kinds.check_kind(image)
            check_header(image)
            yield image
    except Exception as error:  # Pillow raises many kinds, such as TypeError for damaged EXIF
        reason = str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = kinds.why_unidentified(file)
        raise ImageReadError(f"Cannot read the image {name}: {reason}.") from error


def _known_formats():
    """Returns those of `RASTER_FORMATS` that this Pillow, with its plugins, supports."""
    _raise_limits()
    return tuple(name for name in RASTER_FORMATS if name in Image.OPEN)


@functools.cache
def _raise_limits():
    """Raises Pillow's limits for untrusted files to what cameras and editors produce.

    `check_header` replaces the limit on pixels.
    """
    Image.init()
    Image.MAX_IMAGE_PIXELS = None
    PngImagePlugin.MAX_TEXT_CHUNK = PNG_TEXT


def read_image(
    file: str | Path | BinaryIO,
    channels: int = 3,
    name: str | None = None,
    window: Callable | None = None,
) -> np.ndarray:
    """Decodes one image file, turned upright by its EXIF tag, without alpha.

    Args:
        file: the path of a file in one of `RASTER_FORMATS`, in which ~ stands for the home
            directory, or a binary file object; 16-bit files keep their precision.
        channels: 1 (luma) or 3 (RGB).
        name: what an error calls the file; None for `file` itself.
        window: function from (height, width) of the upright image to the slices of rows and
            columns that are wanted; None for all.

    Returns:
        float32 array [height, width, channels] in [0, 1].

    Raises:
        ImageReadError: the file is missing, truncated, no image or too large, or has pixels whose
            range is not defined.
        ValueError: another number of channels.
    """
    if channels not in PILLOW_MODES:
        raise ValueError(f"Expected channels 1 or 3. Received: {channels}")
    if isinstance(file, str | os.PathLike):
        file = os.path.expanduser(file)
    with opened(file, name or file) as image:
        pixels = None if window is None else _jpeg_part(image, channels, window)
        if pixels is not None:
            return pixels.astype(np.float32) / WHITE
        return _decoded(image, channels, window)


def decoded_size(file, name=None, budget=None):
    """Returns (height, width) of the image that `read_image` returns for the same file.

    Its pixels are decoded, to detect a truncated file, but not converted to float32; a JPEG is
    decoded at an eighth of its size.

    Args:
        file, name: as for `read_image`.
        budget: a `Budget` shared with other threads; None for no limit.

    Raises:
        ImageReadError: as for `read_image`.
    """
    with opened(file, name or file) as image:
        stored = image.size
        image.draft(image.mode, (max(image.width // 8, 1), max(image.height // 8, 1)))
        with budget.taken(decoded_bytes(image)) if budget else contextlib.nullcontext():
            check_range(image)
            size = _upright(stored, image.getexif(), image.format)
            ImageOps.exif_transpose(image, in_place=True)
        return size


def check_range(image):
    """Decodes a Pillow image; raises ValueError if the range of its pixels is not defined.

    Returns:
        For grayscale of more than 8 bits, its values as an array [height, width], at most
        `WHITE_16_BITS`; for any other image None.
    """
    image.load()
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is not defined")
    if not image.mode.startswith("I"):
        return None
    values = np.asarray(image)
    if values.min() < 0 or values.max() > WHITE_16_BITS:
        raise ValueError("pixels of 32 bits, whose range is not defined")
    return values


def _decoded(image, channels, window=None):
    """Decodes a Pillow image, or a part of it, to float32 [height, width, channels] in [0, 1]."""
    deep = deep_pixels(image) if is_deep(image) else None
    if deep is not None:
        return _deep_part(deep, image.getexif().get(EXIF_ORIENTATION, 1), channels, window)
    ImageOps.exif_transpose(image, in_place=True)
    if window is not None:  # first, to save work on the other pixels
        rows, columns = window(image.height, image.width)
        image = image.crop((columns.start, rows.start, columns.stop, rows.stop))
    height, width = image.height, image.width
    check_fits(8 * height * width * channels, f"{width}x{height} pixels as floating-point numbers")
    values = check_range(image)
    if values is not None:  # 16-bit grayscale
        return np.repeat(values[..., None].astype(np.float32) / WHITE_16_BITS, channels, axis=-1)
    pixels = np.asarray(image.convert(PILLOW_MODES[channels]), np.float32) / WHITE
    return pixels.reshape(*pixels.shape[:2], channels)


def _deep_part(pixels, orientation, channels, window):
    """Converts uint16 colours or gray, with or without alpha, to what `_decoded` returns."""
    colours = 3 if pixels.shape[-1] > 2 else 1
    pixels = turned_upright(pixels[..., :colours], orientation)
    if window is not None:
        pixels = pixels[window(*pixels.shape[:2])]
    images = from_integers(pixels)
    if colours == channels:
        return images
    return np.repeat(images, channels, axis=-1) if colours == 1 else to_luma(images)


def _jpeg_part(image, channels, window):
    """Decodes a small part of a JPEG file without the rest, bit for bit as Pillow would.

    Returns:
        uint8 array [height, width, channels], or None where Pillow must decode the file: because of
        its kind or its faults, or because a large part would be decoded no faster.
    """
    turned = image.getexif().get(EXIF_ORIENTATION, 1) in range(2, 9)
    if turned or image.format != "JPEG" or image.mode != PILLOW_MODES[channels]:
        return None
    rows, columns = window(image.height, image.width)
    if (rows.stop - rows.start) * (columns.stop - columns.start) > (
        SMALL_PART * image.height * image.width
    ):
        return None
    image.fp.seek(0)
    content = image.fp.read()
    if not content.endswith(JPEG_END):  # it may be truncated, if only below the part
        return None
    # Subsampled chroma is interpolated from neighbours, which must be decoded too.
    top, left = max(rows.start - JPEG_MARGIN, 0), max(columns.start - JPEG_MARGIN, 0)
    bottom = min(rows.stop + JPEG_MARGIN, image.height)
    right = min(columns.stop + JPEG_MARGIN, image.width)
    try:
        pixels = tf.io.decode_and_crop_jpeg(
            content,
            (top, left, bottom - top, right - left),
            channels,
            dct_method="INTEGER_ACCURATE",
        ).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    return pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def upright_size(path):
    """Returns (height, width) of an upright image file from its header alone.

    The EXIF orientation of a PNG is missed where its block follows the pixels.

    Raises:
        ImageReadError: as `opened`.
    """
    with opened(path, path) as image:
        # A PNG's own `getexif` would decode the pixels to look behind them.
        return _upright(image.size, Image.Image.getexif(image), image.format)


def _upright(size, exif, file_format):
    """Returns (height, width) of an image turned as its EXIF block says."""
    width, height = size
    # Pillow gives the size of a TIFF as it is once turned.
    is_turned = exif.get(EXIF_ORIENTATION) in TURNED and file_format != "TIFF"
    return (width, height) if is_turned else (height, width)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes one image [height, width, 1 or 3] in [0, 1] as an 8-bit PNG, whole or not at all.

    Unsigned integers of 8 or 16 bits are converted first.

    Args:
        path: of the file, with the suffix .png; ~ stands for the home directory.
        image: the array.

    Raises:
        ValueError: a path with another suffix, or an array of another shape, type or scale.
    """
    from inversenet_tf.imaging.arrays import in_unit_range  # imported here to avoid a cycle

    path = Path(os.path.expanduser(path))
    if path.suffix.lower() != ".png":
        raise ValueError(f"Expected a path that ends in .png, the format written. Received: {path}")
    pixels = to_uint8(in_unit_range(image, "images"))
    if pixels.ndim != 3 or pixels.shape[-1] not in PILLOW_MODES or not pixels.size:
        raise ValueError(
            f"Expected an image [height, width, 1 or 3]. Received: shape {pixels.shape}"
        )
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with written_aside(path) as partial:
        picture.save(partial, "PNG", compress_level=PNG_COMPRESSION)
