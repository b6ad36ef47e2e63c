"""Previews of photographs of any kind that a browser can show."""

from pathlib import Path

import numpy as np
from PIL import Image

from inversenet_tf.imaging.files.photographs import Photograph, to_8_bits
from inversenet_tf.imaging.files.written_photographs import write_photograph

SIDE = 1600  # pixels along the longer side of a preview, at most


def write_preview(path: Path, photograph: Photograph, size: tuple[int, int]) -> Path:
    """Writes a photograph for the browser with 8 bits and its colour profile.

    Args:
        path: of the file, whose suffix names its format.
        photograph: of any kind.
        size: (height, width) of the preview.

    Returns:
        The path.
    """
    pixels = to_8_bits(photograph.pixels)
    if pixels.shape[:2] != tuple(size):
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        smaller = size[0] < pixels.shape[0]
        method = Image.Resampling.LANCZOS if smaller else Image.Resampling.NEAREST
        pixels = np.asarray(picture.resize(size[::-1], method)).reshape(*size, -1)
    plain = Photograph(
        pixels,
        profile=photograph.profile,
        png_colours=photograph.png_colours,
        is_stored_as_rgb=photograph.is_stored_as_rgb,
    )
    write_photograph(path, pixels, plain)
    return path


def preview_size(height: int, width: int) -> tuple[int, int]:
    """The (height, width) of the largest preview of an image, in its proportions."""
    shrink = min(1.0, SIDE / max(height, width))
    return max(round(height * shrink), 1), max(round(width * shrink), 1)


def described(photograph: Photograph, name: str) -> str:
    """Describes a photograph in a line: size, kind of pixels, and what was changed on reading."""
    height, width, channels = photograph.pixels.shape
    bits = 8 * photograph.pixels.dtype.itemsize
    facts = [f"{width} × {height} pixels", "gray" if channels == 1 else "colour", f"{bits} bits"]
    if photograph.alpha is not None:
        facts.append("with alpha")
    return f"{name}: {', '.join([*facts, *photograph.notes])}."
