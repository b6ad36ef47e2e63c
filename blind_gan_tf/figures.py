"""The paper's figures: observed, estimated corruption, baselines, recovered, original."""

import numpy as np

from inversenet_tf.imaging.files.grids import comparison_figure
from inversenet_tf.imaging.metrics import intensity_normalised

EXAMPLES = 6


def shown(measurements):
    """Maps measurements to [0, 1] for display: signed ones around mid-gray, others by their peak.

    Args:
        measurements: [n, height, width, channels] of any range.

    Returns:
        The same shape; measurements within [0, 1] are left unchanged.
    """
    least, most = measurements.min(), measurements.max()
    if least < 0:
        return 0.5 + 0.5 * measurements / max(-least, most)
    return measurements / max(most, 1.0)


def restoration_figure(path, problem, outputs, *, estimates, scores, footer):
    """Fig. 1: a column for each image, with rows for what was observed, estimated and recovered.

    Args:
        path: of the PNG file.
        problem: a `Problem`.
        outputs: dict from method to images [N, 1, height, width, channels].
        estimates: F-hat(G(z*)), [N, height, width, measured channels], or None.
        scores: dict from method to a list of one dict for each image, with `psnr`; or None.
        footer: how the figure was made.
    """
    columns = range(min(EXAMPLES, len(problem.measurements)))
    measured = {"observed": problem.measurements}
    if estimates is not None:
        measured["estimated corruption"] = estimates
    together = shown(np.stack(list(measured.values())))
    rows = [
        [(image, caption) for image in images[: len(columns)]]
        for images, caption in zip(together, measured, strict=True)
    ]
    for name in (name for name in outputs if name not in ("degraded", "random")):
        captions = [
            name if scores is None else f"{name} {scores[name][i]['psnr']:.1f} dB" for i in columns
        ]
        rows.append([(outputs[name][i, 0], captions[i]) for i in columns])
    if problem.images is not None:
        rows.append([(problem.images[i, 0], "original") for i in columns])
    comparison_figure(path, _same_channels(rows), footer)


def separation_figure(path, problem, outputs, *, estimates, footer):
    """Fig. 2: a row for each set of mixtures, with its sources and recovered images, normalised.

    Args:
        path, problem, footer: as for `restoration_figure`.
        outputs: dict from method to images [N, S, height, width, channels], matched to the
            sources where these are known.
        estimates: [N, height, width, mixtures], or None.
    """
    measured = {"observed": problem.measurements}
    if estimates is not None:
        measured["estimated"] = estimates
    rows = []
    for index in range(min(EXAMPLES, len(problem.measurements))):
        row = [
            (intensity_normalised(mixtures[index][..., n : n + 1]), caption)
            for caption, mixtures in measured.items()
            for n in range(mixtures.shape[-1])
        ]
        truth = {} if problem.images is None else {"source": problem.images}
        for name, images in (truth | outputs).items():
            row += [(image, name) for image in intensity_normalised(images[index])]
        rows.append(row)
    comparison_figure(path, rows, footer, width=0.9)


def _same_channels(rows):
    """Gives gray pictures among colour ones three channels."""
    most = max(image.shape[-1] for row in rows for image, _ in row)
    return [
        [(np.repeat(image, most // image.shape[-1], -1), caption) for image, caption in row]
        for row in rows
    ]


def operator_figure(path, estimated, true, footer):
    """Estimated and true responses of each channel to one bright pixel in the same channel.

    Args:
        path: of the PNG file.
        estimated, true: [channels, side, side, measured channels]; true may be None.
        footer: how the figure was made.
    """
    rows = []
    for name, responses in (("estimated", estimated), ("true", true)):
        if responses is None:
            continue
        count = min(responses.shape[0], responses.shape[-1])
        own = np.stack([responses[channel, ..., channel : channel + 1] for channel in range(count)])
        greatest = np.abs(own).max() or 1.0  # an operator that measures nothing stays gray
        pictures = 0.5 + 0.5 * own / greatest  # zero is gray, as for all signed pictures
        rows.append([(p, f"{name}, channel {i}") for i, p in enumerate(pictures)])
    comparison_figure(path, rows, footer)
