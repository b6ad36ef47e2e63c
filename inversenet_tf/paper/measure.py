"""Makes a report of a table's columns: checks everything, trains what is missing, measures."""

import dataclasses

from absl import logging

from inversenet_tf.baselines import baseline
from inversenet_tf.chosen_constants import NAMES, constants_of
from inversenet_tf.data import open_held_out
from inversenet_tf.evaluation import degradation_of, describe, draw, score
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.paths import check_utf8
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.models.compiling import comparator_of
from inversenet_tf.models.presets import kept_spectrum
from inversenet_tf.paper.annealing import annealing_figure
from inversenet_tf.paper.image_sets import image_set
from inversenet_tf.paper.report import write_report
from inversenet_tf.paper.steadiness import steadiness
from inversenet_tf.paper.tables import TABLES
from inversenet_tf.reporting import OTHER, TEST, VALIDATION
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.trained_run import load_trained
from inversenet_tf.training import ANNEALING


@dataclasses.dataclass
class Measured:
    """The scores of the methods of a `Column`.

    Attributes:
        title: the images and the column's note.
        data: name in `IMAGE_SETS`.
        scores: {method: {psnr, ssim, per_image}}, as in `evaluation.score`.
        provenance: data, degradation, metrics, versions, trainings and their steadiness.
    """

    title: str
    data: str
    scores: dict
    provenance: dict


def reproduce(table, names, conditions):
    """Makes a table of the paper; after an interruption, the same call resumes it.

    Args:
        table: name in `TABLES`.
        names: of image sets in `IMAGE_SETS`.
        conditions: `Conditions`.

    Returns:
        The report as Markdown, which is also written after every column, together with JSON.

    Raises:
        ValueError: images or weights that cannot be used, before any training; or a work
            directory that holds a training with another config.
        InUse: another process makes a table in the same directory.
    """
    check_writable(check_utf8(conditions.output))
    with held(conditions.output):
        return _reproduce(table, names, conditions)


def _reproduce(table, names, conditions):
    """Does the work of `reproduce`, which holds the output directory."""
    columns = TABLES[table](conditions, names)
    opened = [_open(column, conditions) for column in columns]
    _check_comparators(columns)
    measured, text = [], ""
    for column, (config, source) in zip(columns, opened, strict=True):
        if source is not None:
            measured.append(_measure(table, column, config, source, conditions))
            text = write_report(table, names, measured, conditions)
    if table == "1":
        run = columns[0].trainings["inversenet"]
        annealing_figure(run.workdir / ANNEALING, conditions.output / f"annealing-{run.name}.png")
    return text


def _check_comparators(columns):
    """Checks that the comparators' weights can be read, once for each method."""
    trainings = [t for column in columns for t in column.trainings.values()]
    for training in {training.method: training for training in trainings}.values():
        comparator_of(training.config())


def _open(column, conditions):
    """(config, images) to measure a column with; None for the images if none are large enough."""
    for training in column.trainings.values():
        training.config()
    config = next(iter(column.trainings.values())).config()
    image_set(column.data).apply_held_out(config, conditions.root)
    if column.side is None:
        config.data.evaluation_crop = "whole"
    elif column.side:
        config.data.size, config.data.crop_fraction = column.side, 0.0
    try:
        spec = config.data.test or config.data.validation
        source = open_held_out(spec, build_operator(config.operator), config)
    except ValueError as error:
        if not column.side:
            raise
        logging.warning("Left out, %s: %s", column.name, error)
        return config, None
    return config, source


def _measure(table, column, config, source, conditions):
    """Trains what is missing, runs every method on the same images, and draws the first ones."""
    for training in column.trainings.values():
        training.run()
    operator = build_operator(config.operator)
    spectrum = kept_spectrum(next(iter(column.trainings.values())).workdir)
    constants = _constants(column, operator, spectrum)
    methods = [baseline(name, operator, config, constants, spectrum) for name in column.baselines]
    methods += [_as_method(name, training) for name, training in column.trainings.items()]
    scores, examples = score(methods, source, operator, config, limit=conditions.limit)
    role = _role(column, config)
    provenance = describe(source, config, operator, conditions.limit, role)
    provenance["baselines"] = constants
    provenance["trainings"] = {n: t.provenance() for n, t in column.trainings.items()}
    if table == "denoiser":
        runs = column.trainings.items()
        provenance["steadiness"] = {name: steadiness(training.workdir) for name, training in runs}
    degradation = degradation_of(config, operator)
    footer = f"{source.spec}; {degradation}; {conditions.minutes:g} min each; dB, SSIM"
    path = conditions.output / f"table_{table}-{column.name}-{conditions.name}.png"
    draw(path, examples, scores, footer)
    title = f"{column.data} {column.note}".rstrip()
    return Measured(title, column.data, scores, provenance)


def _role(column, config):
    """The role of the measured images in the column's trainings."""
    if config.data.test:
        return TEST
    validations = [training.config().data.validation for training in column.trainings.values()]
    return VALIDATION if config.data.validation in validations else OTHER


def _constants(column, operator, spectrum):
    """The baselines' constants, chosen on the training images of the column's first method."""
    names = tuple(name for name in column.baselines if name in NAMES)
    config = next(iter(column.trainings.values())).config()
    return constants_of(None, config, operator, names=names, spectrum=spectrum)


def _as_method(name, training):
    """A finished training as a function from measurements to {method: images}."""
    model, _, _ = load_trained(training.workdir, "last")
    restorer = ModelRestorer(model)
    if name == "inversenet":
        return restorer.estimates
    return lambda measurements: {name: restorer.estimates(measurements)["restored"]}
