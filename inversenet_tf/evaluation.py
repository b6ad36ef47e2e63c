"""Evaluation: a trained run against its rivals, every number with how it was made."""

import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from inversenet_tf.imaging import metrics
from inversenet_tf.imaging.classical import wiener
from inversenet_tf.imaging.grids import comparison_figure
from inversenet_tf.imaging.pairs import evaluation_pairs
from inversenet_tf.imaging.runs import versions, write_json
from inversenet_tf.restoration import Restorer
from inversenet_tf.training import kept_operator, load_trained, open_held_out

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
    pairs = evaluation_pairs(
        source, operator, config.noise, config.data,
        batch_size=config.training.batch_size, seed=config.training.seed, limit=limit,
    )  # fmt: skip
    count = min(limit or len(source), len(source))
    kernel = None if source.paired else operator.kernel
    methods, examples = _run_methods(pairs, count, kernel, Restorer(model), config)
    results = {
        "config": dataclasses.asdict(config),
        "checkpoint": {"which": which, "step": step},
        "data": {"source": source.spec, "crop": config.data.evaluation_crop},
        "images": source.names[:count],
        "number_of_images": count,
        "metrics": config.metrics.stamp(),
        "versions": versions(),
        "methods": methods,
    }
    write_json(workdir / "results.json", results)
    degradation = "the user's own" if source.paired else _describe(config)
    footer = f"{source.spec}; {degradation}; step {step}; PSNR in dB, SSIM"
    _draw(workdir / "comparison.png", examples, methods, footer)
    return results


def _run_methods(pairs, count, kernel, restorer, config):
    """({name: {psnr, ssim, per_image}}, the first images as dicts from method to image)."""
    scores, examples = {}, []
    with tqdm(total=count, desc="evaluating", unit="image") as progress:
        for measurements, images in pairs.as_numpy_iterator():
            outputs = {"degraded": measurements}
            if kernel is not None:
                outputs["wiener"] = wiener(measurements, kernel, config.noise.gaussian_sigma)
            outputs |= restorer(measurements)
            for name, estimates in outputs.items():
                found = scores.setdefault(name, {"psnr": [], "ssim": []})
                found["psnr"] += metrics.psnr(estimates, images, config.metrics).numpy().tolist()
                found["ssim"] += metrics.ssim(estimates, images, config.metrics).numpy().tolist()
            stacked = [dict(zip([*outputs, "truth"], row, strict=True))
                       for row in zip(*outputs.values(), images, strict=True)]  # fmt: skip
            examples += stacked[: FIGURE_ROWS - len(examples)]
            progress.update(len(images))
    return {name: _summary(**found) for name, found in scores.items()}, examples


def _summary(psnr, ssim):
    per_image = [{"psnr": p, "ssim": s} for p, s in zip(psnr, ssim, strict=True)]
    return {"psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim)), "per_image": per_image}


def _describe(config):
    """The degradation in a line."""
    operator, noise = config.operator, config.noise
    kernel = f" {operator.kernel}, {operator.boundary}" if operator.name == "blur" else ""
    rounding = ", 8 bits" if noise.eight_bit else ""
    return f"{operator.name}{kernel}{rounding}, noise {noise.gaussian_sigma}"


def _draw(path, examples, methods, footer):
    """One row an image, one column a method, the scores under each."""
    rows = []
    for index, images in enumerate(examples):
        captions = {"truth": "truth"}
        for name, found in methods.items():
            score = found["per_image"][index]
            captions[name] = f"{name}\n{score['psnr']:.2f} dB  {score['ssim']:.3f}"
        rows.append([(image, captions[name]) for name, image in images.items()])
    comparison_figure(path, rows, footer)


def format_table(methods):
    """The scores of `results.json` as lines of text."""
    lines = [f"{'method':<12}{'PSNR (dB)':>12}{'SSIM':>10}"]
    lines += [f"{n:<12}{m['psnr']:>12.2f}{m['ssim']:>10.4f}" for n, m in methods.items()]
    return "\n".join(lines)
