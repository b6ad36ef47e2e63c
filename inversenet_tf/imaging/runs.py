"""Work directories: what makes a run findable, resumable and repeatable."""

import dataclasses
import json
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import dacite

CONFIG_FILE = "config.json"
FREE_BYTES_NEEDED = 200 * 2**20  # checkpoints and logs of one run


def write_json(path, content):
    """Writes `content` as JSON, whole or not at all."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    os.replace(partial, path)


def config_from_dict(config_class, values):
    """Rebuilds a config dataclass from its dict form.

    Raises:
        ValueError: an unknown field or a wrong type.
    """
    try:
        return dacite.from_dict(config_class, values, dacite.Config(strict=True))
    except dacite.DaciteError as error:
        raise ValueError(f"Expected a {config_class.__name__}. Received: {error}") from error


def read_config(workdir, config_class):
    """The resolved config a run was made with.

    Raises:
        ValueError: the directory holds no run.
    """
    path = Path(workdir) / CONFIG_FILE
    if not path.is_file():
        raise ValueError(f"Expected a work directory with {CONFIG_FILE}. Received: {workdir}")
    return config_from_dict(config_class, json.loads(path.read_text()))


def open_workdir(workdir, config):
    """Makes a work directory for `config`, or reopens the one that was made for it.

    Raises:
        ValueError: it cannot be written, lacks space, or holds another experiment.
    """
    workdir = Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe = workdir / ".write_probe"
        probe.write_bytes(b"0")
        probe.unlink()
        free = shutil.disk_usage(workdir).free
    except OSError as error:
        raise ValueError(f"Expected a writable work directory. Received: {error}") from error
    if free < FREE_BYTES_NEEDED:
        raise ValueError(
            f"Expected {FREE_BYTES_NEEDED >> 20} MiB free in {workdir}. Received: {free >> 20} MiB."
        )
    wanted = dataclasses.asdict(config)
    path = workdir / CONFIG_FILE
    if path.exists():
        differences = _differences(json.loads(path.read_text()), json.loads(json.dumps(wanted)))
        if differences:
            raise ValueError(
                f"Expected the work directory {workdir} to hold this experiment. Received one "
                f"that differs in {'; '.join(differences)}. Choose another --workdir."
            )
    else:
        write_json(path, wanted)
    return workdir


def _differences(present, wanted, prefix=""):
    """["a.b: 1 there, 2 here", ...] for every leaf that is not the same in both."""
    found = []
    for key in sorted(present.keys() | wanted.keys()):
        one, other = present.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differences(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}: {one!r} there, {other!r} here")
    return found


def versions():
    """Of everything a number can depend on."""
    packages = ("inversenet-tf", "tensorflow", "keras", "numpy", "scikit-image", "pillow")
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in packages}
