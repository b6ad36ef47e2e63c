"""Evaluation: a trained run against its baselines, every number with how it was made."""

import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from inversenet_tf.baselines import usual_baselines
from inversenet_tf.data import open_held_out
from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging import metrics
from inversenet_tf.imaging.data.pairs import evaluation_pairs
from inversenet_tf.imaging.files.grids import comparison_figure
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.trained_run import kept_operator, load_trained

RESULTS_FILE = "results.json"
FIGURE_ROWS = 6


def evaluate(workdir, data=None, limit=None, which="best"):
    """Measures a run on images it has not seen; writes `results.json` and `comparison.png`.

    Args:
        workdir: of a run of `train`.
        data: a source; by default the config's validation source.
        limit: images to stop after; None for all.
        which: checkpoint to use, "best" or "last".

    Returns:
        The content of `results.json`.

    Raises:
        ValueError: no trained run, or a source that cannot be used.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"Expected limit >= 1. Received: {limit}")
    workdir = Path(workdir).expanduser()
    model, config, step = load_trained(workdir, which)
    operator = kept_operator(workdir, config)
    source = open_held_out(data or config.data.validation, operator, config)
    baselines = usual_baselines(operator, config, is_known=not source.paired)
    scores, examples = score([*baselines, Restorer(model)], source, operator, config, limit)
    results = {
        "config": dataclasses.asdict(config),
        "checkpoint": {"which": which, "step": step},
    } | describe(source, config, limit)
    results["methods"] = scores
    write_json(workdir / RESULTS_FILE, results)
    footer = f"{source.spec}; {results['degradation']}; step {step}; PSNR in dB, SSIM"
    draw(workdir / "comparison.png", examples, scores, footer)
    return results


def describe(source, config, limit=None):
    """What every result says of the images it was measured on, and how."""
    count = _count(source, limit)
    return {
        "data": {
            "source": source.spec,
            "crop": config.data.evaluation_crop,
            "size": config.data.size if config.data.evaluation_crop == "center" else "whole",
        },
        "degradation": "the user's own" if source.paired else degradation_of(config),
        "images": source.names[:count],
        "number_of_images": count,
        "metrics": config.metrics.stamp(),
        "versions": versions(),
    }


def score(methods, source, operator, config, limit=None):
    """Runs methods on the same measurements of the same images.

    Args:
        methods: functions from measurements [batch, height, width, channels] to a dict from
            method name to images.
        source: an `ImageSource` of held-out images.
        operator: an `Operator`; ignored where the source is paired.
        config: a `Config`: crops, noise, metric profile.
        limit: images to stop after; None for all.

    Returns:
        (scores, examples): {method: {psnr, ssim, per_image}}, and the first images as dicts from
        method, "measurement" and "truth" to image.
    """
    pairs = evaluation_pairs(
        source,
        operator,
        config.noise,
        config.data,
        batch_size=config.training.batch_size,
        seed=config.training.seed,
        limit=limit,
    )
    scores, examples = {}, []
    with tqdm(total=_count(source, limit), desc="evaluating", unit="image") as progress:
        for measurements, images in pairs.as_numpy_iterator():
            outputs = {}
            for method in methods:
                outputs |= method(measurements)
            for name, estimates in outputs.items():
                found = scores.setdefault(name, {"psnr": [], "ssim": []})
                found["psnr"] += metrics.psnr(estimates, images, config.metrics).numpy().tolist()
                found["ssim"] += metrics.ssim(estimates, images, config.metrics).numpy().tolist()
            shown = {"measurement": measurements} | outputs | {"truth": images}
            rows = [dict(zip(shown, row, strict=True)) for row in zip(*shown.values(), strict=True)]
            examples += rows[: FIGURE_ROWS - len(examples)]
            progress.update(len(images))
    return {name: _summary(**found) for name, found in scores.items()}, examples


def _count(source, limit):
    """Of the images that are measured."""
    return min(limit or len(source), len(source))


def _summary(psnr, ssim):
    per_image = [{"psnr": p, "ssim": s} for p, s in zip(psnr, ssim, strict=True)]
    return {"psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim)), "per_image": per_image}


def degradation_of(config):
    """The degradation in a line."""
    operator, noise = config.operator, config.noise
    parts = [operator.name]
    if operator.name != "identity":
        size = "" if operator.kernel == "file" else f" of {operator.kernel_size} pixels"
        parts.append(f"{operator.kernel}{size}, {operator.boundary}")
    if operator.scale > 1:
        parts.append(f"1/{operator.scale}")
    if noise.quantize:
        parts.append("8 bits")
    return ", ".join([*parts, f"noise {noise.gaussian_sigma:g}"])


def draw(path, examples, scores, footer):
    """One row an image, one column a method, the scores under each."""
    rows = []
    for index, images in enumerate(examples):
        if "degraded" in images:  # which is the measurement
            images = {name: image for name, image in images.items() if name != "measurement"}
        captions = {"truth": "truth", "measurement": "measurement"}
        for name, found in scores.items():
            value = found["per_image"][index]
            captions[name] = f"{name}\n{value['psnr']:.2f} dB  {value['ssim']:.3f}"
        rows.append([(image, captions[name]) for name, image in images.items()])
    comparison_figure(path, rows, footer)


def format_table(methods):
    """The scores of `results.json` as lines of text."""
    lines = [f"{'method':<18}{'PSNR (dB)':>12}{'SSIM':>10}"]
    lines += [f"{n:<18}{m['psnr']:>12.2f}{m['ssim']:>10.4f}" for n, m in methods.items()]
    return "\n".join(lines)
