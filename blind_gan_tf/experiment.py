"""A blind inversion as an experiment: config -> measurements -> methods -> results and pictures."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
from absl import logging

from blind_gan_tf import figures, operator_report, scoring
from blind_gan_tf.classifier import load_classifier
from blind_gan_tf.config import ESTIMATED, InversionConfig
from blind_gan_tf.inversion import check_fit
from blind_gan_tf.inversion_files import RESPONSES, write_operator, write_recovered
from blind_gan_tf.memory import check_surrogates_fit
from blind_gan_tf.methods import METHODS, Setting, admitted, fitted, kernel_to_begin_with
from blind_gan_tf.prior import load_prior, prior_file
from blind_gan_tf.problems import measured, simulated, stacked
from blind_gan_tf.search_log import SearchLog
from inversenet_tf.engine.workdir import CHECKPOINTS, open_workdir, versions
from inversenet_tf.imaging import metrics
from inversenet_tf.imaging.arrays import GREATEST, LEAST
from inversenet_tf.imaging.checks import check_at_least
from inversenet_tf.imaging.files.atomic import check_writable, written_aside
from inversenet_tf.imaging.files.digests import sha256_of
from inversenet_tf.imaging.files.json import read_json, write_json
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.paths import check_outside, check_utf8

# What may change between two calls with one work directory, since no search depends on it.
SCORING_FIELDS = ("methods", "classifier", "metrics", "refinement")
INPUTS_FILE = "inputs.json"
MEASUREMENTS_FILE = "measurements.npy"


def run_inversion(
    config: InversionConfig, workdir: str | Path, measurements: str | Path | None = None
) -> dict:
    """Recovers images and operators, compares them with the baselines, and writes the results.

    The same call resumes where an earlier one was interrupted.

    Args:
        config: an `InversionConfig`.
        workdir: of the experiment: `results.json`, `recovered/`, `operator/`, `surrogate/`,
            `figure.png`, `measurements.npy`, `logs/` and `checkpoints/`.
        measurements: a directory with the user's own measurements; None for simulated ones, whose
            truth is known.

    Returns:
        The content of `results.json`.

    Raises:
        ValueError: a config, prior, measurements or work directory that cannot be used; raised
            before anything is written.
        InUse: another process works in the directory.
        SearchDiverged: a loss or a residual became NaN or infinite. The checkpoint of the round
            before is kept.
    """
    config.validate()
    workdir = check_utf8(workdir)
    check_outside(workdir, config.problem.images, f"folder:{measurements}" if measurements else "")
    check_writable(workdir)
    with held(workdir):
        return _run_inversion(config, workdir, measurements)


def _run_inversion(config, workdir, measurements):
    """Does the work of `run_inversion` once the work directory is locked."""
    prior = load_prior(config.prior, config.precision)
    classifier = load_classifier(config.classifier) if config.classifier else None
    if measurements is None:
        problem = simulated(config, prior)
    else:
        problem = measured(measurements, config, prior.image_shape[-1])
    check_fit(
        problem.measurements,
        prior=prior,
        config=config.search,
        sources=config.problem.sources,
        group_size=problem.group_size,
    )
    _check_scoring(config, prior, classifier, problem)
    methods = admitted(problem, prior, config)
    inputs = {
        "prior_sha256": sha256_of(prior_file(config.prior)),
        "measurements_sha256": hashlib.sha256(problem.measurements.tobytes()).hexdigest(),
    }
    open_workdir(workdir, config, free=SCORING_FIELDS)
    _keep_inputs(workdir, inputs, problem)
    outputs = {}
    for name in methods:
        watch = SearchLog(workdir, name, config.search, fitted(name, problem))
        outputs[name] = METHODS[name](Setting(problem, prior, config, watch, outputs))
        watch.close()
    inversion = outputs.get("blind")
    outputs = {name: getattr(output, "images", output) for name, output in outputs.items()}
    results = {
        "config": dataclasses.asdict(config),
        "prior": {"path": config.prior, "training": prior.training},
        "data": {"source": problem.source, "group_size": problem.group_size} | inputs,
        "measurements": problem.names,
        "images": problem.contents,
        "number_of_images": len(problem.names),
        "metrics": scoring.stamp(config),
        "versions": versions(),
        "methods": scoring.score(problem, outputs, config, classifier),
    }
    if inversion is not None:
        results["blind"] = _of_the_search(problem, inversion, workdir)
    _write_pictures(workdir, problem, outputs, inversion=inversion, results=results, config=config)
    write_json(workdir / "results.json", results)
    return results


def _check_scoring(config, prior, classifier, problem):
    """Raises ValueError for what would otherwise fail after all searches, or exhaust the memory."""
    height, width, channels = prior.image_shape
    least = min(height, width) - 2 * config.metrics.crop
    check_at_least("the image's side minus twice metrics.crop", least, metrics.SSIM_WINDOW)
    if config.surrogate.kernel_size > min(height, width):
        raise ValueError(
            f"Expected surrogate.kernel_size of at most {min(height, width)}, the image's side. "
            f"Received: {config.surrogate.kernel_size}"
        )
    check_surrogates_fit(
        config.surrogate,
        copies=config.search.starts * (len(problem.measurements) // problem.group_size),
        channels=config.problem.sources * channels,
    )
    kernel_to_begin_with(config.surrogate)  # raises where its file cannot be read
    if "blind" in config.methods:
        _check_shared_kernel(config, problem, channels)
    if config.problem.task == "separation" and channels != 1:
        raise ValueError(
            "Expected a prior of gray images for a separation. Received: one of "
            f"{channels} channels"
        )
    if classifier is not None and tuple(classifier.input_shape[1:]) != prior.image_shape:
        raise ValueError(
            f"Expected a classifier for images {prior.image_shape}. Received: one for "
            f"{tuple(classifier.input_shape[1:])}"
        )


def _check_shared_kernel(config, problem, channels):
    """Raises ValueError for measurements that the surrogate `shared_kernel` cannot be fitted to."""
    images, measurements = config.problem.sources * channels, problem.measurements
    if config.surrogate.name == "shared_kernel" and measurements.shape[-1] != images:
        raise ValueError(
            f'Expected measurements of {images} channels with surrogate.name "shared_kernel", as '
            f"many as the images have. Received: {measurements.shape[-1]}"
        )
    least, greatest = measurements.min(), measurements.max()
    if config.surrogate.initial_kernel == ESTIMATED and (least < LEAST or greatest > GREATEST):
        raise ValueError(
            "Expected measurements in [0, 1], apart from their noise, with "
            f'surrogate.initial_kernel "{ESTIMATED}", as no blur is estimated from others. '
            f"Received: {least:.4g} to {greatest:.4g}"
        )


def _keep_inputs(workdir, inputs, problem):
    """Writes the measurements without loss; a resumed search must have the same inputs."""
    path = workdir / INPUTS_FILE
    if (
        path.exists()
        and read_json(path) != inputs
        and any((workdir / CHECKPOINTS).glob("*/step-*"))
    ):
        raise ValueError(
            f"Expected the prior and the measurements that {workdir} was started with. "
            "Received: different ones. Choose another --workdir."
        )
    write_json(path, inputs)
    with written_aside(workdir / MEASUREMENTS_FILE) as partial:
        np.save(partial, problem.measurements)


def _of_the_search(problem, inversion, workdir):
    """The search's part of the results; also writes the operators."""
    groups = range(len(problem.groups))
    return {
        "residual_per_value": float(inversion.residuals.mean() / problem.measurements[0].size),
        "rounds": len(inversion.history),
        "screening": inversion.screening,
        "history": inversion.history,
        "operators": [_of_an_operator(problem, inversion, index, workdir) for index in groups],
    }


def _of_an_operator(problem, inversion, index, workdir):
    """Writes a group's operator, and describes it, compared with the true one where known."""
    group, surrogate = problem.groups[index], inversion.operators[index]
    side, channels = problem.measurements.shape[1], surrogate.input_shape[-1]
    response, truth = operator_report.responses(surrogate, channels, side), None
    described = {
        "start": int(inversion.start[index]),
        "receptive_field": operator_report.receptive_field(surrogate, side),
        "residual": float(inversion.residuals[group].mean()),
        "warnings": operator_report.warnings_of(
            surrogate,
            stacked(inversion.images[group]),
            problem.measurements[group],
            inversion.estimates[group],
        ),
    }
    # A surrogate of mixtures orders the sources in its own way, so it cannot be compared.
    if problem.operators is not None and len(inversion.images[0]) == 1:
        operator = problem.operators[index]
        truth = operator_report.responses(operator, channels, side)
        described |= operator_report.distance(response, truth)
        described |= operator_report.distance_on_images(
            surrogate, operator, stacked(problem.images[group])
        )
        described["least_relative_error"] = operator_report.least_error(
            truth, described["receptive_field"]
        )
    for warning in described["warnings"]:
        logging.warning("%s", warning)
    write_operator(surrogate, response, workdir, index)
    figures.operator_figure(
        workdir / RESPONSES / f"{index:03d}.png",
        response,
        truth,
        f"group {index}: response to one bright pixel",
    )
    return described


def _write_pictures(workdir, problem, outputs, *, inversion, results, config):
    if inversion is not None:
        write_recovered(inversion.images, workdir, problem.names)
    estimates = None if inversion is None else inversion.estimates
    scores = {name: score.get("per_image") for name, score in results["methods"].items()}
    scores = scores if problem.images is not None else None
    footer = (
        f"{problem.source}; {config.search.screening_rounds} rounds of screening, at most "
        f"{config.search.rounds} of {config.search.surrogate_steps} + "
        f"{config.search.latent_steps} steps; seed {config.seed}"
    )
    path = workdir / "figure.png"
    if config.problem.task == "restoration":
        figures.restoration_figure(
            path, problem, outputs, estimates=estimates, scores=scores, footer=footer
        )
    else:
        shown = {name: outputs[name] for name in ("naive", "ica", "blind") if name in outputs}
        figures.separation_figure(path, problem, shown, estimates=estimates, footer=footer)
