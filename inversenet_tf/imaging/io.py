"""Image files to float32 arrays in [0, 1] and back: the only place where 255 appears."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
WHITE = 255.0  # what 1.0 is in a file of 8 bits
WHITE_16_BITS = 65535.0
DECODED_CHECKS = 20_000
PILLOW_MODES = {1: "L", 3: "RGB"}


class ImageReadError(ValueError):
    """A file that should hold an image cannot be decoded; the message names it."""


@contextlib.contextmanager
def _opened(path):
    """A Pillow image; whatever goes wrong while it is in use names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageReadError(f"Cannot read the image {path}: {reason}.") from error


def read_image(path, channels=3):
    """Decodes one image file, upright as its EXIF tag says, without its alpha.

    Args:
        path: any file Pillow reads; 16-bit files keep their precision.
        channels: 1 (luma) or 3 (RGB).

    Returns:
        float32 array [height, width, channels] in [0, 1].

    Raises:
        ImageReadError: the file is missing, truncated or no image.
    """
    with _opened(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16-bit grayscale
            pixels = np.asarray(image, np.float32)[..., None] / WHITE_16_BITS
            return np.repeat(np.clip(pixels, 0.0, 1.0), channels, axis=-1)
        pixels = np.asarray(image.convert(PILLOW_MODES[channels]), np.float32) / WHITE
    return pixels.reshape(*pixels.shape[:2], channels)


def to_uint8(images):
    """float images in [0, 1] -> uint8, rounded to nearest; values outside are clipped."""
    return np.round(np.clip(images, 0.0, 1.0) * WHITE).astype(np.uint8)


def from_uint8(images):
    """uint8 images -> float32 in [0, 1]."""
    return np.asarray(images, np.float32) / WHITE


def write_image(path, image):
    """Writes one image [height, width, 1 or 3] in [0, 1] as 8-bit PNG, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    pixels = to_uint8(image)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(partial, "PNG")
    os.replace(partial, path)


def list_images(directory):
    """All image files below `directory`, recursively, sorted by their relative path.

    Raises:
        ValueError: the directory is missing or holds no file with an image's suffix.
    """
    directory = Path(directory).expanduser()
    if not directory.is_dir():
        raise ValueError(f"Expected a directory of images. Received: {directory}, which is none.")
    paths = sorted(p for p in directory.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise ValueError(
            f"Expected images ({' '.join(IMAGE_SUFFIXES)}) below {directory}. Received: none."
        )
    return paths


def check_images(paths, minimum_side=1):
    """Reads every file once, on all cores, so that a broken one is named before training.

    Of more than `DECODED_CHECKS` files only the headers are read, which takes seconds instead of
    hours and does not find a truncated one.

    Args:
        paths: image files.
        minimum_side: the least height and width in pixels an image must have.

    Returns:
        (usable, skipped): a list of paths, and a dict from each other path to the reason.
    """

    decode = len(paths) <= DECODED_CHECKS

    def fault(path):
        try:
            with _opened(path) as image:
                width, height = image.size
                if decode:
                    image.load()
        except ImageReadError as error:
            return str(error)
        if min(height, width) < minimum_side:
            return f"{path} is {height}x{width}, smaller than {minimum_side} pixels."
        return None

    with ThreadPoolExecutor() as pool:
        progress = tqdm(
            pool.map(fault, paths), "checking images", len(paths), leave=False, delay=2.0
        )
        faults = dict(zip(paths, progress, strict=True))
    usable = [path for path, reason in faults.items() if reason is None]
    skipped = {path: reason for path, reason in faults.items() if reason is not None}
    return usable, skipped
