"""Measures a trained run against its baselines, and records how every number was made."""

import copy
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from inversenet_tf.baselines import usual_baselines
from inversenet_tf.chosen_constants import constants_of
from inversenet_tf.config import Config
from inversenet_tf.data import open_held_out
from inversenet_tf.engine.workdir import read_config, versions
from inversenet_tf.imaging import metrics
from inversenet_tf.imaging.config import CUSTOM, NoiseConfig
from inversenet_tf.imaging.data.pairs import evaluation_pairs, read_pairs
from inversenet_tf.imaging.files.grids import comparison_figure
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.paths import check_utf8, printable
from inversenet_tf.imaging.inputs import measurements_of, parts_of
from inversenet_tf.imaging.physics.operators import Operator
from inversenet_tf.imaging.wording import counted
from inversenet_tf.models import kernel_use
from inversenet_tf.models.memory import check_batch_fits
from inversenet_tf.models.presets import kept_spectrum
from inversenet_tf.reporting import OTHER, RESULTS_FILE, changes_of, place_of, reported
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.shipped import preset_or_path
from inversenet_tf.trained_run import (
    kept_noise,
    kept_operator,
    load_trained,
    with_own_operator,
)

FIGURE_FILE = "comparison.png"
FIGURE_ROWS = 6
LEAST_SIDE = 64  # in pixels, of an image that memory has to suffice for
# What baselines and metrics take per pixel of an image: 228 measured on two megapixels.
BASELINE_BYTES = 400


class Evaluation(dict):
    """The content of `results.json`, which prints as a table of its methods.

    Example:
        ```python
        results = inversenet_tf.evaluate("runs/mine", data="folder:photos/test")
        print(results)
        results.methods["restored"]["psnr"]
        ```
    """

    @property
    def methods(self) -> dict[str, dict]:
        """{method: {"psnr": mean in dB, "ssim": mean, "per_image": list of both}}."""
        return self["methods"]

    def to_dict(self) -> dict:
        """Returns a copy as plain dicts, lists, strings and numbers, as in `results.json`."""
        return copy.deepcopy(dict(self))

    def __str__(self) -> str:
        count = counted(self["number_of_images"], "image")
        source, checkpoint = printable(self["data"]["source"]), self["checkpoint"]
        said = (
            f"{count} of {source} ({self['data']['role']}); weights of step {checkpoint['step']}, "
            f"chosen by {printable(checkpoint['chosen_by'])}"
        )
        return f"{said}\n{format_table(self.methods)}"


def evaluate(
    workdir: str | Path,
    data: str | None = None,
    limit: int | None = None,
    which: str | None = None,
    *,
    operator: Operator | None = None,
    noise: Callable | NoiseConfig | None = None,
    max_memory: int | None = None,
) -> Evaluation:
    """Measures a run on images it has not seen; writes `results.json` and `comparison.png`.

    Results on all of the run's own images are kept in the work directory. Any other source, limit,
    checkpoint, operator or noise has a directory of its own below `evaluations/`.

    Args:
        workdir: of a run of `train`.
        data: a source; by default the config's test source or, where it has none, its validation
            source.
        limit: images to stop after; None for all.
        which: checkpoint to use, "best" or "last"; by default the best by validation, but the last
            on the validation images, as these have chosen the best one. See `reporting`.
        operator, noise: the caller's own, if the run was trained with such. For a network for any
            blur: a `Blur` and a `NoiseConfig`, to measure it with these alone; then nothing is
            written, as `results.json` describes what the run was trained for.
        max_memory: bytes that one image may take when whole images are measured; of larger ones
            the middle is measured. None: whole images, whatever they take.

    Returns:
        The content of `results.json`, which prints as a table.

    Raises:
        ValueError: no trained run, or a source that cannot be used; an `ImageReadError` where one
            of its images cannot be read.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"Expected limit >= 1. Received: {limit}")
    workdir = check_utf8(workdir)
    folder = preset_or_path(workdir)  # what is read; no result goes into a preset that is named
    kept_config = read_config(folder, Config)
    what = reported(workdir, kept_config, data, which)
    model, config, step = load_trained(workdir, what.which)
    restorer = ModelRestorer(model)
    changes, side = changes_of(config, operator, noise), None
    if max_memory is not None and config.data.evaluation_crop == "whole":
        side = largest_side(restorer.spec, max_memory)
        changes.append(f"middle-{side}")
    if isinstance(noise, NoiseConfig):
        config.noise, noise = noise, None
    is_told = operator is not None and model.kernel_use == kernel_use.REQUIRED
    if is_told:
        config = with_own_operator(config, operator, noise)
        restorer = restorer.told(operator.kernel, config.noise.gaussian_sigma)
        config.operator.kernel_size = max(operator.kernel_shape)
    operator = operator or kept_operator(folder, config)
    noise = noise or kept_noise(config)
    source = open_held_out(what.spec, operator, config)
    constants, spectrum = {}, kept_spectrum(folder)
    if not source.paired:
        kept = None if changes else folder
        constants = constants_of(kept, config, operator, noise, spectrum=spectrum)
    methods = usual_baselines(operator, config, not source.paired, spectrum, constants)
    methods = [*methods, _as_method(restorer, model.denoiser is not None)]
    scores, examples = score(methods, source, operator, config, limit=limit, noise=noise, side=side)
    first = limit if limit is not None and limit < len(source) else None
    checkpoint = {"which": what.which, "step": step, "chosen_by": what.chosen_by(config)}
    results = Evaluation(config=dataclasses.asdict(config), checkpoint=checkpoint)
    results["is_own"] = what.is_own and first is None and not changes
    results |= describe(source, config, operator, limit, what.role) | {"methods": scores}
    if side is not None:
        results["data"]["size"] = f"whole; of larger ones, the middle {side} pixels a side"
    results["baselines"] = constants
    if not is_told:
        _write(place_of(workdir, what, first, changes), results, examples)
    return results


def _as_method(restorer, has_denoiser):
    """Wraps a restorer for `score`; with a denoiser, z is an estimate of its own."""

    def run(inputs):
        measurements, told = parts_of(inputs)
        outputs = restorer.estimates(measurements, **told)
        return outputs if has_denoiser else {"restored": outputs["restored"]}

    return run


def _write(place, results, examples):
    write_json(place / RESULTS_FILE, results)
    source, step = results["data"]["source"], results["checkpoint"]["step"]
    footer = f"{source}; {results['degradation']}; step {step}; PSNR in dB, SSIM"
    draw(place / FIGURE_FILE, examples, results.methods, footer)
    logging.info("Written: %s and %s.", place / RESULTS_FILE, FIGURE_FILE)


def describe(source, config, operator, limit=None, role=OTHER):
    """Returns what every result says about its images and how they were measured.

    Args:
        source: an `ImageSource`.
        config: a `Config`.
        operator: the `Operator` they were measured with.
        limit: images after which it stopped, or None.
        role: what the images are to the training, as `Reported.role`.
    """
    count = _count(source, limit)
    return {
        "data": {
            "source": source.spec,
            "role": role,
            "crop": config.data.evaluation_crop,
            "size": config.data.size if config.data.evaluation_crop == "center" else "whole",
        },
        "degradation": "the user's own" if source.paired else degradation_of(config, operator),
        "images": source.names[:count],
        "number_of_images": count,
        "metrics": config.metrics.stamp(),
        "versions": versions(),
    }


def largest_side(spec: ImageSpec, max_memory: int) -> int:
    """Returns the side in pixels of the largest square image that can be measured in this memory.

    Raises:
        ValueError: it does not suffice even for a small one.
    """
    of_a_pixel = max(spec.bytes_per_pixel / spec.scale**2, BASELINE_BYTES)
    side = int(math.sqrt(max_memory / of_a_pixel))
    if side < LEAST_SIDE:
        raise ValueError(
            f"Expected a max_memory of at least {math.ceil(LEAST_SIDE**2 * of_a_pixel / 2**20)} "
            f"MiB. Received: {max_memory / 2**20:.1f} MiB"
        )
    return side


def score(methods, source, operator, config, *, limit=None, noise=None, side=None):
    """Scores methods on the same measurements of the same images.

    Args:
        methods: functions from measurements [batch, height, width, channels] (with a varied
            operator, from what `degrade_each` returns) to a dict from method name to images.
        source: an `ImageSource` of held-out images.
        operator: an `Operator`; ignored where the source is paired.
        config: a `Config`: crops, noise, metric profile.
        limit: images to stop after; None for all.
        noise: the caller's own; None for the config's.
        side: in pixels; of larger whole images the middle is taken. None: no limit.

    Returns:
        (scores, examples): {method: {psnr, ssim, per_image}}, and the first images as dicts from
        method, "measurement" and "truth" to image.

    Raises:
        ValueError: a batch would take more memory than there is, or an image cannot be read.
    """
    check_batch_fits(config, _count(source, limit))
    pairs = evaluation_pairs(
        source,
        operator,
        noise or config.noise,
        config.data,
        batch_size=config.training.batch_size,
        seed=config.training.seed,
        limit=limit,
        largest_side=side,
    )
    scores, examples = {}, []
    with tqdm(total=_count(source, limit), desc="evaluating", unit="image") as progress:
        for inputs, images in read_pairs(pairs):
            outputs = {}
            for method in methods:
                outputs |= method(inputs)
            for name, estimates in outputs.items():
                of_method = scores.setdefault(name, {"psnr": [], "ssim": []})
                for metric in ("psnr", "ssim"):
                    values = getattr(metrics, metric)(estimates, images, config.metrics)
                    of_method[metric] += values.numpy().tolist()
            shown = {"measurement": measurements_of(inputs)} | outputs | {"truth": images}
            rows = [dict(zip(shown, row, strict=True)) for row in zip(*shown.values(), strict=True)]
            examples += rows[: FIGURE_ROWS - len(examples)]
            progress.update(len(images))
    return {name: _summary(**values) for name, values in scores.items()}, examples


def _count(source, limit):
    """The number of images that are measured."""
    return min(limit or len(source), len(source))


def _summary(psnr, ssim):
    per_image = [{"psnr": p, "ssim": s} for p, s in zip(psnr, ssim, strict=True)]
    return {"psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim)), "per_image": per_image}


def degradation_of(config: Config, operator: Operator | None) -> str:
    """Describes the degradation in one line.

    Args:
        config: the config that names it.
        operator: the one whose kernel size is stated; None for one of the caller's own.
    """
    named, noise = config.operator, config.noise
    parts = ["the caller's own operator" if named.name == CUSTOM else named.name]
    if named.name not in ("identity", CUSTOM):
        size = "" if named.kernel == "file" else f" of {max(operator.kernel_shape)} pixels"
        parts.append(f"{named.kernel}{size}, {named.boundary}")
    if named.scale > 1:
        parts.append(f"1/{named.scale}")
    if noise.custom:
        return ", ".join([*parts, "the caller's own noise"])
    if noise.quantize:
        parts.append("8 bits")
    up_to = "up to " if named.is_varied else ""
    return ", ".join([*parts, f"noise {up_to}{noise.gaussian_sigma:g}"])


def draw(path, examples, scores, footer):
    """Draws a row per image and a column per method, with the scores below."""
    rows = []
    for index, images in enumerate(examples):
        if "degraded" in images:  # the same as the measurement
            images = {name: image for name, image in images.items() if name != "measurement"}
        captions = {"truth": "truth", "measurement": "measurement"}
        for name, of_method in scores.items():
            value = of_method["per_image"][index]
            captions[name] = f"{name}\n{value['psnr']:.2f} dB  {value['ssim']:.3f}"
        rows.append([(image, captions[name]) for name, image in images.items()])
    comparison_figure(path, rows, footer)


def format_table(methods: dict[str, dict]) -> str:
    """Formats the scores of `results.json` as a table."""
    lines = [f"{'method':<18}{'PSNR (dB)':>12}{'SSIM':>10}"]
    lines += [f"{n:<18}{m['psnr']:>12.2f}{m['ssim']:>10.4f}" for n, m in methods.items()]
    return "\n".join(lines)
