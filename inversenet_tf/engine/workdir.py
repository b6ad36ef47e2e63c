"""Work directories: what makes a run findable, resumable and repeatable."""

import dataclasses
import platform
import shutil
from importlib import metadata
from pathlib import Path

import keras
import tensorflow

from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.json import read_json, write_json

CONFIG_FILE = "config.json"
CHECKPOINTS = "checkpoints"
LOGS = "logs"
HISTORY_FILE = "history.json"
FREE_BYTES_NEEDED = 1500 * 2**20  # five checkpoints of the deepest networks, 232 MiB, and the logs


def read_config(workdir, config_class):
    """The resolved config a run was made with.

    Raises:
        ValueError: the directory holds no run.
    """
    return config_from_dict(config_class, read_json(_config_file(workdir)))


def config_class_of(workdir, classes):
    """Which kind of run a work directory holds.

    Args:
        workdir: of any run.
        classes: config dataclasses, which differ in their sections.

    Returns:
        The one whose fields the kept config has.

    Raises:
        ValueError: the directory holds no run, or one of another kind.
    """
    kept = read_json(_config_file(workdir)).keys()
    for config_class in classes:
        if kept <= {field.name for field in dataclasses.fields(config_class)}:
            return config_class
    raise ValueError(
        f"Expected in {workdir} a {' or a '.join(c.__name__ for c in classes)}. Received: a config "
        f"of {', '.join(kept)}"
    )


def _config_file(workdir):
    path = Path(workdir).expanduser() / CONFIG_FILE
    if not path.is_file():
        raise ValueError(f"Expected a work directory with {CONFIG_FILE}. Received: {workdir}")
    return path


def open_workdir(workdir, config, free=()):
    """Makes a work directory for `config`, or reopens the one that was made for it.

    While it holds no checkpoint, another config may still take its place; afterwards only the
    fields named in `free` may differ.

    Raises:
        ValueError: it cannot be written, lacks space, or holds another experiment.
    """
    workdir = Path(workdir).expanduser()
    _check_space(workdir)
    path = workdir / CONFIG_FILE
    wanted = dataclasses.asdict(config)
    if not any((workdir / CHECKPOINTS).glob("*/step-*")):
        shutil.rmtree(workdir / LOGS, ignore_errors=True)  # of an attempt that came to nothing
        write_json(path, wanted)
        return workdir
    # A field that the kept config does not have yet stands at its default.
    kept = dataclasses.asdict(config_from_dict(type(config), read_json(path)))
    differences = _differences(_without(kept, free), _without(wanted, free))
    if differences:
        raise ValueError(
            f"Expected the work directory {workdir} to hold this experiment. Received one "
            f"that differs in {'; '.join(differences)}. Choose another --workdir."
        )
    if free:
        write_json(path, wanted)
    return workdir


def _without(fields, left_out):
    return {name: value for name, value in fields.items() if name not in left_out}


def _check_space(workdir):
    free = shutil.disk_usage(check_writable(workdir)).free
    if free < FREE_BYTES_NEEDED:
        raise ValueError(
            f"Expected {FREE_BYTES_NEEDED >> 20} MiB free for {workdir}. Received: {free >> 20} MiB"
        )


def _differences(present, wanted, prefix=""):
    """["a.b: 1 there, 2 here", ...] for every leaf that is not the same in both."""
    differences = []
    for key in sorted(present.keys() | wanted.keys()):
        one, other = present.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            differences += _differences(one, other, f"{prefix}{key}.")
        elif one != other:
            differences.append(f"{prefix}{key}: {one!r} there, {other!r} here")
    return differences


PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-image", "scikit-learn", "pillow")


def versions():
    """The version of everything that a number can depend on: {name: version}."""
    known = {"inversenet_tf": _version("inversenet-tf"), "python": platform.python_version()}
    return known | {package: _version(package) for package in PACKAGES}


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # as where TensorFlow was installed as tensorflow-cpu
        return "not installed"


def learned_from(config):
    """All of a training's config that what is learned depends on, as a dict."""
    return {name: part for name, part in dataclasses.asdict(config).items() if name != "runtime"}


def fix_randomness(training):
    """Makes a training a function of its config's seed; to the bit where it asks for that."""
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tensorflow.config.experimental.enable_op_determinism()
