"""Combines many images into one: grids for TensorBoard, and captioned figures for files."""

import warnings

import numpy as np

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.paths import printable


def image_grid(columns, gap=2):
    """Puts batches of images side by side, one row per example and one column per batch.

    Args:
        columns: list of [batch, height, width, channels] arrays of one shape, in [0, 1].
        gap: white pixels between images.

    Returns:
        float32 [batch * (height + gap) - gap, len(columns) * (width + gap) - gap, channels].
    """
    columns = np.clip(np.stack([np.asarray(c) for c in columns], axis=1), 0.0, 1.0)
    padding = ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0))
    padded = np.pad(columns, padding, constant_values=1.0)
    rows, count, height, width, channels = padded.shape
    grid = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, count * width, channels)
    return grid[: rows * height - gap, : count * width - gap].astype(np.float32)


def shown_like(measurements, images):
    """Enlarges measurements to the size and channels of their images, every pixel to a square."""
    scale = images.shape[1] // measurements.shape[1]
    shown = np.repeat(np.repeat(np.asarray(measurements), scale, axis=1), scale, axis=2)
    return np.broadcast_to(shown, images.shape)


def comparison_figure(path, rows, footer="", width=2.6):
    """Writes a figure of captioned images, one row per example and one column per method.

    Args:
        path: of the PNG file.
        rows: list of lists of (image [height, width, channels] in [0, 1], caption).
        footer: how the figure was made.
        width: of one image, in inches.
    """
    from matplotlib.figure import Figure  # takes a second to import, so only where it is used

    heights = [row[0][0].shape[0] / row[0][0].shape[1] for row in rows]
    size = (width * len(rows[0]), sum(heights) * width + 0.55 * len(rows) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False, height_ratios=heights)
    for row, row_axes in zip(rows, axes, strict=True):
        for (image, caption), axis in zip(row, row_axes, strict=True):
            image = np.clip(image, 0.0, 1.0)
            axis.imshow(image if image.shape[-1] == 3 else image[..., 0], "gray", vmin=0, vmax=1)
            # Dollar signs in folder names do not begin formulas.
            axis.set_xlabel(printable(caption), fontsize=9 if width > 2 else 5, parse_math=False)
            axis.set_xticks([])
            axis.set_yticks([])
    figure.supxlabel(printable(footer), fontsize=7, parse_math=False)
    # Characters that no font has are drawn as boxes; that needs no warning.
    with written_aside(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(partial, dpi=160, format="png")
