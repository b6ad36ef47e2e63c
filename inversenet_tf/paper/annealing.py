"""The annealing figure: both networks' outputs for the same measurements early in training."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from inversenet_tf.imaging.files.atomic import written_aside

BINS = np.linspace(-0.5, 0.5, 81)  # of the residuals, in units of [0, 1]


def annealing_figure(directory, path, example=0):
    """Draws Figs. 1 and 4, with a row for each snapshot of the training.

    Columns: z, the restored image, restored - z, truth - z (both with zero as gray), and the
    distributions of these differences over all examples.

    Args:
        directory: of the snapshots, see `callbacks.AnnealingSnapshots`.
        path: of the PNG file to write.
        example: index of the image to show.

    Raises:
        ValueError: there are no snapshots.
    """
    kept = {int(p.stem.removeprefix("step-")): np.load(p) for p in sorted(_snapshots(directory))}
    titles = ("z", "restored", "restored - z", "truth - z", "their distributions")
    figure = Figure(figsize=(2 * len(titles), 2 * len(kept)), layout="constrained")
    axes = figure.subplots(len(kept), len(titles), squeeze=False)
    for row, (step, arrays) in zip(axes, kept.items(), strict=True):
        inverted, restored, images = (arrays[n] for n in ("inverted", "restored", "images"))
        differences = restored - inverted, images - inverted
        shown = [inverted, restored, *(0.5 + difference for difference in differences)]
        for axis, batch in zip(row, shown, strict=False):
            axis.imshow(np.clip(batch[example], 0.0, 1.0).squeeze(), "gray", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
        for difference, title in zip(differences, titles[2:4], strict=True):
            label = f"{title}\nmean {difference.mean():.3f}, std {difference.std():.3f}"
            row[-1].hist(difference.ravel(), BINS, histtype="step", density=True, label=label)
        row[-1].legend(fontsize=5)
        row[-1].set_yticks([])
        row[0].set_ylabel(f"step {step}")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    with written_aside(path) as partial:
        figure.savefig(partial, dpi=110, format="png")


def _snapshots(directory):
    paths = list(Path(directory).glob("step-*.npz"))
    if not paths:
        raise ValueError(f"Expected snapshots of a training in {directory}. Received: none.")
    return paths
