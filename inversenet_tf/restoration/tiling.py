"""Restores images of any size in bounded memory, by overlapping tiles that are blended.

The border of a tile lacks neighbours that the image has, and this affects the networks' results. So
tiles overlap by at least `OVERLAP`, and by `OVERLAP_SIDES` of the kernel: the outer part at each
side is discarded, and the rest fades from one tile into the next. Tiles start at multiples of the
networks' downsampling factor, and the image is padded as the networks themselves would pad it, so
that a tile differs from the whole only by the influence of distant pixels. One difference remains:
networks that continue an image circularly continue a tile at the image's border with the tile's
other side.
"""

import dataclasses
import math

import numpy as np

from inversenet_tf.imaging.files.pixels import from_integers, to_integers
from inversenet_tf.models.padding import padded_positions

# Least overlap in pixels of the image. Tiled and whole restorations of a 512x512 photograph, by
# deblurring networks trained for minutes on two cores, differ by up to 4.1 / 255 with 128 pixels
# and by up to 1.0 with 192.
OVERLAP = 192
# Least overlap in sides of the kernel, whose deconvolution reaches far. With lines of 41 pixels and
# noise of 0.003 and 0.01, tiles of the closed form lose up to 2.5 and 1.3 dB against the whole with
# an overlap of 192 pixels, and 0.5 and 0.1 dB with 8 sides. More sides gain little. With a shake of
# 41 pixels 4 sides keep all differences within 1 / 255.
OVERLAP_SIDES = 8
LEFT_OUT = 0.375  # fraction of the overlap, at each tile's border, that is discarded
# A photograph and its result as a caller holds them: as arrays, as Pillow images, and once more
# while a file is decoded or encoded.
COPIES = 3


@dataclasses.dataclass(frozen=True)
class Axis:
    """The tiles along one side of an image.

    Attributes:
        starts: first pixel of each tile.
        side: of every tile, in pixels.
        weights: [tiles, side * scale], the weight of each pixel of a tile; the weights of one
            pixel in all tiles sum to 1.
    """

    starts: list
    side: int
    weights: np.ndarray


def restore_pixels(restorer, pixels, max_memory=None, report=None):
    """Restores one image of integers, in tiles if it would otherwise take too much memory.

    Args:
        restorer: a `Restorer`.
        pixels: uint8 or uint16 [height, width, measured channels].
        max_memory: bytes, beyond what the process takes once the model is compiled; None for no
            limit.
        report: called with the fraction of the image that is done, after every row of tiles.

    Returns:
        [height * scale, width * scale, image channels], of the same type.

    Raises:
        ValueError: not even the smallest tiles fit into `max_memory`.
    """
    spec, kernel_side = restorer.spec, restorer.kernel_side
    height, width = pixels.shape[:2]
    rows, columns = (
        padded_positions(size, spec.multiple, spec.boundary).numpy() for size in (height, width)
    )
    tile = (len(rows), len(columns))
    if max_memory is not None:
        tile = tile_shape(tile, spec, max_memory, pixels.dtype.itemsize, kernel_side)
    if tile == (len(rows), len(columns)):
        restored = restorer.estimates(from_integers(pixels)[np.newaxis])["restored"][0]
        return to_integers(restored, pixels.dtype)
    padded = _restore_padded(restorer, pixels, rows, columns, tile, report)
    top, left = (
        (len(positions) - size) // 2 * spec.scale
        for positions, size in ((rows, height), (columns, width))
    )
    return padded[top : top + height * spec.scale, left : left + width * spec.scale]


def tile_shape(padded, spec, max_memory, bytes_per_value, kernel_side=1):
    """The tile size that fits and needs the least work: (height, width) in measurement pixels.

    Args:
        padded: (height, width) of the measurement, padded to multiples.
        spec: an `ImageSpec`.
        max_memory: bytes.
        bytes_per_value: 1 or 2, of the image's pixels.
        kernel_side: see `Restorer.kernel_side`.

    Raises:
        ValueError: not even the smallest tiles fit.
    """
    height, width = padded
    values = height * width * (spec.measured_channels + spec.image_channels * spec.scale**2)
    left = max_memory - COPIES * values * bytes_per_value
    # Where the border is unknown, the solvers extend images by about a kernel at each side.
    margin = 2 * (kernel_side - 1) // spec.scale

    def memory(tile_height, tile_width):
        return (tile_height + margin) * (tile_width + margin) * spec.bytes_per_pixel

    if left >= memory(height, width):
        return padded
    # Rows of tiles are assembled as float32: the current row, and its overlap with the next.
    per_row = 3 * 4 * width * spec.image_channels * spec.scale**2
    overlap = overlap_of(spec.multiple, spec.scale, kernel_side)
    least = tuple(min(overlap + spec.multiple, size) for size in padded)
    tiles = []
    for tile_height in range(least[0], height + 1, spec.multiple):
        fits = (left - tile_height * per_row) / memory(tile_height, 1 - margin) - margin
        tile_width = min(int(fits) // spec.multiple * spec.multiple, width)
        if tile_width >= least[1]:
            tiles.append((tile_height, tile_width))
    if not tiles:
        needed = max_memory - left + least[0] * per_row + memory(*least)
        kernel = f", for a kernel of {kernel_side} pixels" if kernel_side > 1 else ""
        raise ValueError(
            f"Expected a max_memory of at least {math.ceil(needed / 2**20)} MiB for an image of "
            f"{height}x{width} pixels, padded to multiples of {spec.multiple}, in tiles of at "
            f"least {least[0]}x{least[1]} pixels{kernel}. Received: {max_memory / 2**20:.0f} MiB"
        )
    return min(tiles, key=lambda tile: _work(padded, tile, overlap))


def check_restorable(size, spec, max_memory, bytes_per_value, kernel_side=1):
    """Raises ValueError if no tiles of an image of this size fit.

    Args:
        size: (height, width) of the measurement.
        spec, max_memory, bytes_per_value, kernel_side: as for `tile_shape`.
    """
    padded = [side + -side % spec.multiple for side in size]
    tile_shape(padded, spec, max_memory, bytes_per_value, kernel_side)


def _work(padded, tile, overlap):
    """The number of pixels that go through the networks."""
    counts = [
        1 if side == size else math.ceil((size - overlap) / (side - overlap))
        for size, side in zip(padded, tile, strict=True)
    ]
    return math.prod(counts) * math.prod(tile)


def overlap_of(multiple, scale, kernel_side=1):
    """The overlap of tiles in pixels of the measurement, rounded up to a multiple."""
    least = max(OVERLAP, OVERLAP_SIDES * kernel_side)
    return -(-least // (scale * multiple)) * multiple


def axis_of(size, side, multiple, scale, kernel_side=1):
    """An `Axis` of tiles of `side` pixels that cover `size` pixels, both of them multiples."""
    overlap = overlap_of(multiple, scale, kernel_side)
    starts = [0]
    while starts[-1] + side < size:
        starts.append(min(starts[-1] + side - overlap, size - side))
    place = np.arange(side * scale) + 0.5
    fade = overlap * scale * (1.0 - 2.0 * LEFT_OUT)
    rising = np.clip((place - overlap * scale * LEFT_OUT) / fade, 0.0, 1.0)
    total, weights = np.zeros(size * scale), []
    for start in starts:
        weight = np.ones(side * scale)
        if start > 0:
            weight *= rising
        if start + side < size:
            weight *= rising[::-1]
        weights.append(weight)
        total[start * scale : (start + side) * scale] += weight
    for start, weight in zip(starts, weights, strict=True):
        weight /= total[start * scale : (start + side) * scale]
    return Axis(starts, side, np.float32(weights))


def _restore_padded(restorer, pixels, rows, columns, tile, report=None):
    """Restores the whole padded image, one row of tiles after another."""
    spec, scale = restorer.spec, restorer.spec.scale
    settings = spec.multiple, scale, restorer.kernel_side
    down = axis_of(len(rows), tile[0], *settings)
    across = axis_of(len(columns), tile[1], *settings)
    result = np.empty((len(rows) * scale, len(columns) * scale, spec.image_channels), pixels.dtype)
    reaching_below = np.zeros((0, *result.shape[1:]), np.float32)
    ends = [*down.starts[1:], len(rows)]  # up to where each row of tiles completes the result
    for start, end, weights in zip(down.starts, ends, down.weights, strict=True):
        strip = pixels[rows[start : start + down.side]]
        restored = _restore_strip(restorer, strip, columns, across)
        restored *= weights[:, np.newaxis, np.newaxis]
        restored[: len(reaching_below)] += reaching_below
        done = (end - start) * scale
        result[start * scale : end * scale] = to_integers(restored[:done], pixels.dtype)
        reaching_below = restored[done:]
        if report:
            report(end / len(rows))
    return result


def _restore_strip(restorer, strip, columns, across):
    """One row of tiles at the result's scale: float32 [tile height, whole width, channels]."""
    scale = restorer.spec.scale
    height, width = strip.shape[0] * scale, len(columns) * scale
    restored = np.zeros((height, width, restorer.spec.image_channels), np.float32)
    for start, weights in zip(across.starts, across.weights, strict=True):
        tile = from_integers(strip[:, columns[start : start + across.side]])
        tile = restorer.estimates(tile[np.newaxis])["restored"][0]
        tile *= weights[:, np.newaxis]
        restored[:, start * scale : (start + across.side) * scale] += tile
    return restored
