"""Work directories: what makes a run findable, resumable and repeatable."""

import dataclasses
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import keras
import tensorflow

from inversenet_tf.imaging.config_parsing import config_from_dict, valid_config
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.json import read_field, read_json, write_json
from inversenet_tf.imaging.files.paths import (
    canonical_path,
    canonical_source,
    check_utf8,
    folders_in,
)

CONFIG_FILE = "config.json"
CHECKPOINTS = "checkpoints"
LOGS = "logs"
HISTORY_FILE = "history.json"
ORIGIN_FILE = "origin.json"  # the directory that the config's relative paths are relative to
# Fields that hold paths, by the last part of their names: image sources, and files.
SOURCE_FIELDS = ("train", "validation", "test", "images")
FILE_FIELDS = ("kernel_file", "comparator_weights", "prior", "initial_weights")
CANONICAL = dict.fromkeys(SOURCE_FIELDS, canonical_source) | dict.fromkeys(
    FILE_FIELDS, canonical_path
)
# What may change when a training is extended.
EXTENDABLE = (
    "training.steps",
    "training.batch_size",
    "training.learning_rate",
    "optimizer.learning_rate",
    "optimizer.schedule",
    "data.train",
    "data.validation",
    "data.validation_limit",
)
# What nothing is learned from, so that it may always change.
REPORTED = ("data.test",)
FREE_BYTES_NEEDED = 1500 * 2**20  # five checkpoints of the deepest networks, 232 MiB, and the logs


def read_config(workdir, config_class):
    """Reads the resolved config of a run.

    Raises:
        ValueError: the directory holds no run, or its config has been edited and is invalid.
    """
    path = _config_file(workdir)
    return valid_config(config_class, read_json(path), path)


def config_class_of(workdir, classes):
    """Finds out which kind of run a work directory holds.

    Args:
        workdir: of any run.
        classes: config dataclasses, which differ in their sections.

    Returns:
        The first class that has all sections of the stored config.

    Raises:
        ValueError: the directory holds no run, or one of another kind.
    """
    kept = read_json(_config_file(workdir)).keys()
    for config_class in classes:
        if kept <= {field.name for field in dataclasses.fields(config_class)}:
            return config_class
    raise ValueError(
        f"Expected a {' or a '.join(c.__name__ for c in classes)} in {workdir}. Received: a config "
        f"of {', '.join(kept)}"
    )


def _config_file(workdir):
    path = check_utf8(workdir) / CONFIG_FILE
    if not path.is_file():
        raise ValueError(f"Expected a work directory with {CONFIG_FILE}. Received: {workdir}")
    return path


def open_workdir(workdir, config, free=(), extend=None):
    """Creates a work directory for `config`, or reopens the one that was created for it.

    As long as it holds no checkpoint, the config may be replaced. Afterwards only the fields in
    `free` and `REPORTED` and the spelling of paths may differ.

    Args:
        workdir: of the run.
        config: the run's config, a dataclass.
        free: names of top-level sections and fields.
        extend: whether the fields in `EXTENDABLE` may differ, too; None where they never may.

    Returns:
        The work directory as a `Path`.

    Raises:
        ValueError: it cannot be written, lacks space, holds another experiment, or was begun with
            more training steps.
    """
    workdir = Path(workdir).expanduser()
    _check_space(workdir)
    path = workdir / CONFIG_FILE
    wanted = dataclasses.asdict(config)
    if not any((workdir / CHECKPOINTS).glob("*/step-*")):
        shutil.rmtree(workdir / LOGS, ignore_errors=True)  # of a failed attempt
        _write_config(workdir, wanted)
        return workdir
    # A field that the stored config lacks has its default value.
    kept = dataclasses.asdict(config_from_dict(type(config), read_json(path)))
    differences = _differences(_without(kept, free), _without(wanted, free), _origin(workdir))
    differences = _without(differences, REPORTED)
    if differences and not (extend and differences.keys() <= set(EXTENDABLE)):
        is_extension = extend is False and differences.keys() <= set(EXTENDABLE)
        advice = "Use --extend to continue" if is_extension else "Choose another --workdir"
        raise ValueError(
            f"Expected the work directory {workdir} to hold this experiment. Received one "
            f"that differs in {'; '.join(differences.values())}. {advice}."
        )
    if "training.steps" in differences and wanted["training"]["steps"] < kept["training"]["steps"]:
        raise ValueError(
            f"Expected at least the {kept['training']['steps']} training.steps that {workdir} was "
            f"started with. Received: {wanted['training']['steps']}"
        )
    if free:
        _write_config(workdir, wanted)
    return workdir


def _write_config(workdir, config):
    write_json(workdir / CONFIG_FILE, config)
    write_json(workdir / ORIGIN_FILE, {"directory": os.getcwd()})


def _origin(workdir):
    """The directory that the paths in the stored config are relative to."""
    path = workdir / ORIGIN_FILE
    return read_field(path, "directory", str) if path.is_file() else "."


def _without(fields, left_out):
    return {name: value for name, value in fields.items() if name not in left_out}


def _check_space(workdir):
    free = shutil.disk_usage(check_writable(workdir)).free
    if free < FREE_BYTES_NEEDED:
        raise ValueError(
            f"Expected {FREE_BYTES_NEEDED >> 20} MiB free for {workdir}. Received: {free >> 20} MiB"
        )


def _differences(present, wanted, origin, prefix=""):
    """{"a.b": "a.b: 1 there, 2 here", ...} for every leaf that differs."""
    differences = {}
    for key in sorted(present.keys() | wanted.keys()):
        one, other = present.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            differences |= _differences(one, other, origin, f"{prefix}{key}.")
            continue
        if isinstance(one, str) and isinstance(other, str) and key in CANONICAL:
            one, other = _places(key, one, other, origin)
        if one != other:
            differences[f"{prefix}{key}"] = f"{prefix}{key}: {one!r} there, {other!r} here"
    return differences


def _places(field, one, other, origin):
    """The places that the stored config and the wanted one name, equal where they are one place.

    One text from two directories names two places. It is taken for one where nothing lies at the
    first: as a preset's name, which is no path, or as images that were moved with their run.

    Returns:
        (there, here): as the configs spell them, or in full where both spell them alike.
    """
    canonical = CANONICAL[field]
    there, here = canonical(one, origin), canonical(other)
    if there == here or (one == other and not _is_there(field, there)):
        return here, here
    return (there, here) if one == other else (one, other)


def _is_there(field, canonical):
    if field in FILE_FIELDS:
        return os.path.exists(canonical)
    return any(map(os.path.exists, folders_in(canonical.partition(":")[2])))


PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-image", "scikit-learn", "pillow")


def versions():
    """Returns {name: version} of everything that results can depend on."""
    known = {"inversenet_tf": _version("inversenet-tf"), "python": platform.python_version()}
    return known | {package: _version(package) for package in PACKAGES}


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # e.g. if TensorFlow was installed as tensorflow-cpu
        return "not installed"


def learned_from(config):
    """A training's config as a dict, without `runtime`, on which nothing learned depends."""
    return {name: part for name, part in dataclasses.asdict(config).items() if name != "runtime"}


def fix_randomness(training):
    """Seeds a training by its config, and makes it repeatable to the bit if that asks for it."""
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tensorflow.config.experimental.enable_op_determinism()
