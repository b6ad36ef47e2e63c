"""Which parts of photographs tell most of a blur."""

import math

import numpy as np
import scipy.fft
import scipy.ndimage

from inversenet_tf.imaging.physics.blur_model import MARGIN

PATCH = 192  # side in pixels: with a margin of 24, 216, which suits a Fourier transform
PIXELS = 4 * PATCH**2  # at most, of all patches together
SATURATED = 0.995  # from which a pixel counts as white
MOST_SATURATED = 0.02  # share of such pixels in a patch
LEAST_CONTRAST = 3.0  # of a patch's edges to its noise


def informative_patches(lumas: list[np.ndarray], noise: float) -> np.ndarray:
    """The patches of photographs in which a blur shows best.

    What counts is the weaker of the two directions of a patch's gradients, as edges of one
    direction say nothing of a blur along them; white areas, where the sensor has cut off the light,
    are avoided.

    Args:
        lumas: each [height, width], of any size.
        noise: standard deviation of the luma.

    Returns:
        [patches, side, side], four of 192 pixels a side at most; none where all is flat or white.
    """
    side = min(PATCH, *(extent for luma in lumas for extent in luma.shape))
    return _most_informative(lumas, (side, side), noise)


def informative_part(luma: np.ndarray, noise: float, least: float) -> np.ndarray:
    """The one part of a photograph in which a blur shows best, of as many pixels as four patches.

    Of a small photograph it is the whole, but for some rows and columns at the border that would
    make Fourier transforms slow.

    Args:
        luma: [height, width].
        noise: standard deviation of the luma.
        least: pixels that it must have to be worth its while.

    Returns:
        [1, height, width]; none where it would be smaller, or all is flat or white.
    """
    height, width = luma.shape
    height = min(height, max(math.isqrt(PIXELS), PIXELS // width))
    shape = _quickly_transformed(height), _quickly_transformed(min(width, PIXELS // height))
    if math.prod(shape) < least:
        return np.zeros((0, *shape), np.float32)
    return _most_informative([luma], shape, noise)[:1]


def _quickly_transformed(side):
    """The largest side, up to this one, that has no large prime factor with a margin."""
    sides = range(side, 0, -1)
    return next(s for s in sides if scipy.fft.next_fast_len(s + MARGIN) == s + MARGIN)


def _most_informative(lumas, shape, noise):
    """[patches, *shape], as many as have `PIXELS` together, the best first, none upon another."""
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
    """Where patches begin: a third of a side apart, the last at the border."""
    return sorted({*range(0, extent - side, max(side // 3, 1)), extent - side})


def _overlap(place, other, shape):
    return place[0] == other[0] and all(
        abs(a - b) < side for a, b, side in zip(place[1:], other[1:], shape, strict=True)
    )


def _scores(strip, width, noise):
    """(left, score) of the patches of a width in a strip of their height.

    The score is the weaker direction's energy of gradients, or 0 where a patch is of no use.
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
