"""Finds the parts of photographs that reveal most about a blur."""

import math

import numpy as np
import scipy.fft
import scipy.ndimage

from inversenet_tf.imaging.physics.blur_model import MARGIN

PATCH = 192  # side in pixels: with a margin of 24, 216, which suits a Fourier transform
PIXELS = 4 * PATCH**2  # at most, of all patches together
SATURATED = 0.995  # from which a pixel counts as white
MOST_SATURATED = 0.02  # greatest share of such pixels in a patch
LEAST_CONTRAST = 3.0  # energy of a patch's gradients relative to that of its noise


def informative_patches(lumas: list[np.ndarray], noise: float) -> np.ndarray:
    """The patches of photographs in which a blur shows best.

    What counts is the weaker direction of a patch's gradients, as edges in a single direction tell
    nothing about a blur along them. White areas, where the sensor has clipped the light, are
    avoided.

    Args:
        lumas: each [height, width], of any size.
        noise: standard deviation of the noise in the luma.

    Returns:
        [patches, side, side]: at most four of 192 pixels a side, or more smaller ones if an image
        is smaller; none if everything is flat or white.
    """
    side = min(PATCH, *(extent for luma in lumas for extent in luma.shape))
    return _most_informative(lumas, (side, side), noise)


def informative_part(luma: np.ndarray, noise: float, least: float) -> np.ndarray:
    """The one part of a photograph in which a blur shows best, no larger than four patches.

    In a small photograph it is the whole, without a few rows and columns at the border that would
    make Fourier transforms slow.

    Args:
        luma: [height, width].
        noise: standard deviation of the noise in the luma.
        least: pixels that the part must have to be worthwhile.

    Returns:
        [1, height, width]; none if the part would be smaller, or everything is flat or white.
    """
    height, width = luma.shape
    height = min(height, max(math.isqrt(PIXELS), PIXELS // width))
    shape = _quickly_transformed(height), _quickly_transformed(min(width, PIXELS // height))
    if math.prod(shape) < least:
        return np.zeros((0, *shape), np.float32)
    return _most_informative([luma], shape, noise)[:1]


def _quickly_transformed(side):
    """The largest side up to this one that, with `MARGIN` added, has no large prime factor."""
    sides = range(side, 0, -1)
    return next(s for s in sides if scipy.fft.next_fast_len(s + MARGIN) == s + MARGIN)


def _most_informative(lumas, shape, noise):
    """[patches, *shape] without overlap, of `PIXELS` pixels at most together, the best first."""
    height, width = shape
    scores = {
        (i, top, left): score
        for i, luma in enumerate(lumas)
        for top in _starts(luma.shape[0], height)
        for left, score in _scores(luma[top : top + height], width, noise)
    }
    chosen = []
    for place in sorted(scores, key=scores.get, reverse=True):
        if scores[place] > 0 and not any(_overlap(place, other, shape) for other in chosen):
            chosen.append(place)
    most = PIXELS // (height * width)
    patches = [lumas[i][top : top + height, left : left + width] for i, top, left in chosen[:most]]
    return np.stack(patches) if patches else np.zeros((0, *shape), np.float32)


def _starts(extent, side):
    """Where patches begin: a third of a side apart, with the last one at the border."""
    return sorted({*range(0, extent - side, max(side // 3, 1)), extent - side})


def _overlap(place, other, shape):
    return place[0] == other[0] and all(
        abs(a - b) < side for a, b, side in zip(place[1:], other[1:], shape, strict=True)
    )


def _scores(strip, width, noise):
    """Yields (left, score) of the patches of a width in a strip of their height.

    The score is the energy of the gradients in the weaker direction, or 0 if a patch is of no use.
    """
    rows, columns = np.gradient(scipy.ndimage.gaussian_filter(strip, 1.0))
    products = np.stack([rows * rows, rows * columns, columns * columns, strip > SATURATED])
    sums = np.cumsum(products.sum(axis=1, dtype=np.float64), axis=1)
    sums = np.pad(sums, ((0, 0), (1, 0)))
    noise_energy = 0.04 * noise**2  # that a Gaussian of one pixel leaves in a gradient
    for left in _starts(strip.shape[1], width):
        means = (sums[:, left + width] - sums[:, left]) / (len(strip) * width)
        along, both, across, white = means
        weaker = (along + across) / 2 - np.hypot((along - across) / 2, both)
        useful = weaker > LEAST_CONTRAST * noise_energy and white <= MOST_SATURATED
        yield left, float(weaker) if useful else 0.0
