"""Measures of a restoration that need no ground truth."""

import dataclasses
from pathlib import Path

import numpy as np
import skimage.measure

from inversenet_tf.imaging.files.images import ImageReadError, read_image
from inversenet_tf.imaging.files.pixels import to_luma
from inversenet_tf.imaging.physics.degradation import Degradation

LOOKED_AT = 50  # images of a folder
SIDE = 1024  # pixels along each side of the central square that is looked at


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Means over the images of one folder.

    Attributes:
        misfit: RMS difference between the measurements and the blurred restorations, as a multiple
            of the noise. It is 1 where both kernel and images are right, far above 1 where not.
        blur: how blurred the images look, from 0 to 1 (Crete et al. 2007).
        images: number of images that were looked at.
    """

    misfit: float
    blur: float
    images: int


def evidence_of(
    pairs: list[tuple[Path, Path]], kernel: np.ndarray, noise: float, boundary: str
) -> Evidence:
    """Compares restorations with their measurements.

    Args:
        pairs: files (measurement, restoration), each of one size. Of the first `LOOKED_AT`, those
            that are missing or cannot be read are left out.
        kernel: [side, side], side odd.
        noise: standard deviation in the measurements, with white as 1.
        boundary: "circular", or "camera".

    Raises:
        ValueError: no pair is left.
    """
    squares, blurs = [], []
    for measured_path, restored_path in pairs[:LOOKED_AT]:
        try:
            measured, restored = read_image(measured_path), read_image(restored_path)
        except ImageReadError:
            continue
        squares.append(_mean_square_misfit(restored, measured, kernel, boundary))
        blurs.append(skimage.measure.blur_effect(to_luma(_middle(restored, boundary))[..., 0]))
    if not squares:
        raise ValueError("Expected restorations to compare. Received: none")
    misfit = float(np.sqrt(np.mean(squares)) / noise)
    return Evidence(misfit, float(np.mean(blurs)), len(squares))


def _mean_square_misfit(restored, measured, kernel, boundary):
    """The mean of (y - k * x)^2, where the blur only mixes pixels inside the image."""
    restored, measured = _middle(restored, boundary), _middle(measured, boundary)
    [blurred] = Degradation(kernel.tolist()).degraded(restored[np.newaxis])
    missed = measured - blurred
    if boundary != "circular":
        reach = len(kernel) // 2
        missed = missed[reach : len(missed) - reach, reach : missed.shape[1] - reach]
    return float(np.square(missed).mean())


def _middle(image, boundary):
    """The central square of at most a megapixel; a circular image as a whole."""
    if boundary == "circular":
        return image
    top, left = (max(extent - SIDE, 0) // 2 for extent in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]
