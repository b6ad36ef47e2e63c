"""Pictures that a browser shows: of photographs of any kind, and of kernels."""

from pathlib import Path

import numpy as np
from PIL import Image

from inversenet_tf.imaging.files.photographs import Photograph, to_8_bits
from inversenet_tf.imaging.files.written_photographs import write_photograph

SIDE = 1600  # pixels, at most, of a preview


def write_preview(path: Path, photograph: Photograph, size: tuple[int, int]) -> Path:
    """Writes a photograph as a JPEG of 8 bits for the browser, with its profile.

    Args:
        path: of the file.
        photograph: of any kind.
        size: (height, width) of the preview.
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
    """That of the largest preview with the same proportions."""
    shrink = min(1.0, SIDE / max(height, width))
    return max(round(height * shrink), 1), max(round(width * shrink), 1)


def described(photograph: Photograph, name: str) -> str:
    """A photograph in a line: its size, what its pixels are, and what was changed in reading."""
    height, width, channels = photograph.pixels.shape
    bits = 8 * photograph.pixels.dtype.itemsize
    facts = [f"{width} × {height} pixels", "gray" if channels == 1 else "colour", f"{bits} bits"]
    if photograph.alpha is not None:
        facts.append("with alpha")
    return f"{name}: {', '.join([*facts, *photograph.notes])}."
