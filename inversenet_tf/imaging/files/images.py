"""Image files to float32 arrays in [0, 1] and back: the only place where 255 appears."""

import collections
import contextlib
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError
from tqdm import tqdm

from inversenet_tf.imaging.files import kinds
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.deep_pixels import deep_pixels, is_deep
from inversenet_tf.imaging.files.headers import check_header, decoded_bytes
from inversenet_tf.imaging.files.memory import Budget, check_fits
from inversenet_tf.imaging.files.paths import check_regular
from inversenet_tf.imaging.wording import counted

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".mpo",
    ".jp2",
    ".j2k",
    ".avif",
    ".heic",
    ".heif",
    ".hif",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pnm",
)
# What Pillow may take a file for, whatever its name is: its other formats include programs, as EPS
# is, which it hands to Ghostscript.
RASTER_FORMATS = (
    *("PNG", "JPEG", "MPO", "JPEG2000", "AVIF", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "HEIF"),
)
WHITE = 255.0  # what 1.0 is in a file of 8 bits
WHITE_16_BITS = 65535.0
DECODED_CHECKS = 20_000
CHECK_BYTES = 2**29  # that images may take together while they are checked
PNG_TEXT = 2**24  # bytes of one text of a PNG, which editors fill with their whole history
NAMED_SKIPS = 20  # skipped files that are named one by one
EXIF_ORIENTATION = 0x0112  # the tag; from 5 on, height and width change places
PILLOW_MODES = {1: "L", 3: "RGB"}
JPEG_END = b"\xff\xd9"
JPEG_MARGIN = 2  # pixels around a part, of which its own depend
SMALL_PART = 0.25  # of an image
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601's weights of red, green and blue


class ImageReadError(ValueError):
    """A file that should hold an image cannot be decoded; the message names it."""


@contextlib.contextmanager
def opened(file, name):
    """Opens an image file with Pillow; whatever goes wrong while it is in use names the file.

    Args:
        file: a path, or a binary file object.
        name: what an error calls the file.

    Yields:
        The Pillow image.

    Raises:
        ImageReadError: instead of anything else.
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
    except Exception as error:  # Pillow raises many kinds, for a damaged EXIF block a TypeError
        reason = str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = kinds.why_unidentified(file)
        raise ImageReadError(f"Cannot read the image {name}: {reason}.") from error


def _known_formats():
    """Those of `RASTER_FORMATS` that this Pillow was built with, or was taught."""
    _raise_limits()
    return tuple(name for name in RASTER_FORMATS if name in Image.OPEN)


@functools.cache
def _raise_limits():
    """Sets Pillow's limits against files of strangers to what cameras make and editors write.

    `check_header` takes the place of the one of pixels.
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
    """Decodes one image file, upright as its EXIF tag says, without its alpha.

    Args:
        file: the path of any file Pillow reads, or a binary file object; files of 16 bits keep
            their precision.
        channels: 1 (luma) or 3 (RGB).
        name: what an error calls the file; None for `file` itself.
        window: function from (height, width) of the upright image to the slices of rows and
            columns that are wanted; None for all.

    Returns:
        float32 array [height, width, channels] in [0, 1].

    Raises:
        ImageReadError: the file is missing, truncated or no image.
    """
    with opened(file, name or file) as image:
        pixels = None if window is None else _jpeg_part(image, channels, window)
        if pixels is not None:
            return pixels.astype(np.float32) / WHITE
        return _decoded(image, channels, window)


def decoded_size(file, name=None, budget=None):
    """(height, width) of the image that `read_image` makes of the same file, with its errors.

    Its pixels are decoded, to find a truncated file, but not brought to float32; those of a JPEG
    at an eighth of its size.

    Args:
        file, name: as for `read_image`.
        budget: a `Budget` that other threads use, too; None for no limit.
    """
    with opened(file, name or file) as image:
        stored = image.size
        image.draft(image.mode, (max(image.width // 8, 1), max(image.height // 8, 1)))
        with budget.taken(decoded_bytes(image)) if budget else contextlib.nullcontext():
            check_range(image)
            size = _upright(stored, image.getexif())
            ImageOps.exif_transpose(image, in_place=True)
        return size


def check_range(image):
    """Decodes a Pillow image; raises ValueError where the range of its pixels is not defined.

    Returns:
        The values of grayscale of more than 8 bits, at most `WHITE_16_BITS`, as an array [height,
        width]; of any other image None.
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
    """A Pillow image, or its part, as float32 [height, width, channels] in [0, 1]."""
    deep = deep_pixels(image) if is_deep(image) else None
    if deep is not None:
        return _deep_part(deep, image.getexif().get(EXIF_ORIENTATION, 1), channels, window)
    ImageOps.exif_transpose(image, in_place=True)
    if window is not None:  # before anything is done to every pixel
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
    """uint16 colours, or gray, maybe with alpha, as `_decoded` gives them."""
    colours = 3 if pixels.shape[-1] > 2 else 1
    pixels = turned_upright(pixels[..., :colours], orientation)
    if window is not None:
        pixels = pixels[window(*pixels.shape[:2])]
    images = from_integers(pixels)
    if colours == channels:
        return images
    return np.repeat(images, channels, axis=-1) if colours == 1 else to_luma(images)


def turned_upright(pixels, orientation):
    """Pixels [height, width, ...] turned or mirrored as an EXIF orientation asks."""
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


def _jpeg_part(image, channels, window):
    """A small part of a JPEG file, decoded without the rest, with the bits that Pillow gives it.

    Returns:
        uint8 array [height, width, channels], or None where Pillow must decode the file: for its
        kind or its faults, or because a large part is decoded no faster.
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
    if not content.endswith(JPEG_END):  # it may be truncated, even if below the part
        return None
    # Colours of halved resolution are interpolated, but not beyond what is decoded.
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
    """(height, width) of an image file, from its header alone, with the errors of `opened`.

    Of a PNG whose EXIF block stands behind its pixels, it is not yet upright.
    """
    with opened(path, path) as image:
        # A PNG's own `getexif` would decode it, to look behind its pixels.
        return _upright(image.size, Image.Image.getexif(image))


def _upright(size, exif):
    """(height, width) of an image that is turned as its EXIF block says."""
    width, height = size
    return (width, height) if exif.get(EXIF_ORIENTATION, 1) >= 5 else (height, width)


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
    """RGB [..., 3] -> BT.601 luma [..., 1], as Pillow's mode "L" has it.

    Of NumPy arrays and, in a graph, of TensorFlow's tensors.
    """
    if tf.is_tensor(images):
        return tf.tensordot(images, tf.constant(LUMA), 1)[..., tf.newaxis]
    return (images @ LUMA)[..., None]


def to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Integer pixels of 1 or 3 channels as 1 (BT.601 luma, rounded) or 3 (repeated)."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    luma = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(LUMA):  # one by one: it takes the memory of one
        luma += pixels[..., channel] * weight
    return np.round(luma).astype(pixels.dtype)[..., np.newaxis]


def is_gray(pixels: np.ndarray) -> bool:
    """Whether all channels of an image are the same."""
    # Colours show in a few pixels already.
    return all(
        np.array_equal(part[..., :1].repeat(part.shape[-1] - 1, -1), part[..., 1:])
        for part in (pixels[..., ::16, ::16, :], pixels)
    )


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes one image [height, width, 1 or 3] in [0, 1] as 8-bit PNG, whole or not at all.

    Pixels of 8 or 16 bits are taken for what they are.

    Raises:
        ValueError: an array of another shape, type or scale.
    """
    from inversenet_tf.imaging.arrays import in_unit_range  # which builds on this module

    pixels = to_uint8(in_unit_range(image, "images"))
    if pixels.ndim != 3 or pixels.shape[-1] not in PILLOW_MODES or not pixels.size:
        raise ValueError(
            f"Expected an image [height, width, 1 or 3]. Received: shape {pixels.shape}"
        )
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with written_aside(path) as partial:
        picture.save(partial, "PNG")


def _is_named_image(path):
    return path.suffix.lower() in IMAGE_SUFFIXES


def files_below(directory):
    """All that lies below a directory, recursively, sorted by its relative path, but for folders.

    A folder with an image's suffix is among it, so that it can be named as none.

    Links to directories are followed, each directory being looked into once, so that a loop ends.
    What begins with a dot is left out: other programs' notes and copies, or what a kill left.
    """
    files, seen = [], set()
    for folder, subfolders, names in os.walk(directory, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        names += [name for name in subfolders if _is_named_image(Path(name))]
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(files)


def list_images(directory):
    """All image files below `directory`, recursively, sorted by their relative path.

    Raises:
        ValueError: the directory is missing or holds no file with an image's suffix.
    """
    directory = Path(directory).expanduser()
    if not directory.is_dir():
        raise ValueError(f"Expected a directory of images. Received: {directory}, which is none.")
    present = files_below(directory)
    paths = [path for path in present if _is_named_image(path)]
    if not paths:
        files = counted(len(present), "other file") if present else "none"
        refusals = sorted({reason for reason in map(kinds.why_refused, present) if reason})
        files = "; ".join([files, *refusals])
        raise ValueError(
            f"Expected images ({' '.join(IMAGE_SUFFIXES)}) below {directory}. Received: {files}."
        )
    return paths


def inspect_images(paths):
    """Reads every file once, on all cores, so that a broken one is named before training.

    The images that are decoded at the same time take no more than `CHECK_BYTES`, or are one. With
    more than `DECODED_CHECKS` files only the headers are read, which takes seconds instead of
    hours and does not find a truncated one.

    Args:
        paths: image files.

    Returns:
        (sizes, faults): a dict from each readable path to its (height, width), and one from each
        other path to what is wrong with it.
    """
    budget = Budget(CHECK_BYTES)

    def size_of(path):
        if len(paths) > DECODED_CHECKS:
            return upright_size(path)
        return decoded_size(path, budget=budget)

    def size_or_fault(path):
        try:
            return size_of(path)
        except ImageReadError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        results = pool.map(size_or_fault, paths)
        results = tqdm(results, "checking images", len(paths), leave=False, delay=2.0)
        results = dict(zip(paths, results, strict=True))
    sizes = {path: size for path, size in results.items() if isinstance(size, tuple)}
    faults = {path: fault for path, fault in results.items() if isinstance(fault, str)}
    return sizes, faults


def usable_images(paths, minimum_side):
    """The images of at least `minimum_side` pixels a side, and why the others are left out.

    Returns:
        (usable, skipped): a list of paths, and a dict from each other path to the reason.
    """
    sizes, faults = inspect_images(paths)
    skipped = faults | small_images(sizes, minimum_side)
    return [path for path in paths if path not in skipped], skipped


def small_images(sizes, minimum_side):
    """{name: reason} for the images with a side of less than `minimum_side` pixels.

    Args:
        sizes: a dict from a name or path to its (height, width).
        minimum_side: in pixels.
    """
    return {
        name: f"{name} is {height}x{width}, smaller than {minimum_side} pixels."
        for name, (height, width) in sizes.items()
        if min(height, width) < minimum_side
    }


def report_skipped(place, used, skipped, minimum_side):
    """Logs which images of a place are left out and why, the first few by name.

    Args:
        place: where the images are.
        used: the number of those that are not left out.
        skipped: {name: reason} of those that are.
        minimum_side: in pixels, what was asked of them.

    Raises:
        ValueError: all are.
    """
    reasons = list(skipped.values())
    if not used:
        raise ValueError(
            f"Expected images of at least {minimum_side} pixels a side below {place}. "
            f"Received: {counted(len(reasons), 'file')}, none usable; the first: {reasons[0]}"
        )
    for reason in reasons[:NAMED_SKIPS]:
        logging.warning("Skipped: %s", reason)
    if reasons:
        logging.warning("%s: %s used, %d skipped.", place, counted(used, "image"), len(reasons))


def report_other_files(directory):
    """Logs how many files below a directory `list_images` does not take for images, and why."""
    others = [p for p in files_below(directory) if p.is_file() and not _is_named_image(p)]
    by_reason = collections.defaultdict(list)
    for path in others:
        by_reason[kinds.why_refused(path)].append(path)
    if plain := by_reason.pop(None, []):
        files = counted(len(plain), "file")
        logging.warning("%s: %s without an image's suffix ignored.", directory, files)
    for reason, paths in by_reason.items():
        files = counted(len(paths), "file")
        logging.warning("%s: %s ignored (%s first): %s.", directory, files, paths[0].name, reason)
