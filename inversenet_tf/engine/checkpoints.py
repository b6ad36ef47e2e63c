"""Checkpoints of a training run: its whole state, written atomically."""

import json
import os
import shutil
from pathlib import Path

import tensorflow as tf
from absl import logging

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_json
from inversenet_tf.imaging.files.paths import taken_literally

SHOWN = 300  # characters of what was wrong with a checkpoint


def save(state, step, directory, scores=None, keep=1):
    """Writes a checkpoint and then removes the oldest ones.

    Args:
        state: dict of what to save: built Keras networks, built optimizers, variables.
        step: of the training.
        directory: holds the checkpoints of one kind ("last" or "best").
        scores: dict of JSON values to keep beside the weights.
        keep: how many checkpoints of this kind to keep.
    """
    directory = Path(directory)
    newest = directory / f"step-{step:08d}"
    again = directory / f"step-{step:08d}.again"  # if its validation was interrupted before
    _replace(newest, again)
    with written_aside(again if newest.exists() else newest) as partial:
        tf.train.Checkpoint(**state).write(str(partial / "state"))
        (partial / "scores.json").write_text(json.dumps(scores or {}))
    _replace(newest, again)
    for older in _newest_first(directory)[keep:]:
        _remove(older)
    for left_by_a_kill in (*directory.glob(".partial-*"), *directory.glob(".removed-*")):
        shutil.rmtree(left_by_a_kill)


def _replace(checkpoint, again):
    """Renames a step that was saved again; at any moment one complete checkpoint of it exists."""
    if again.exists():
        if checkpoint.exists():
            _remove(checkpoint)
        os.replace(again, checkpoint)


def _remove(checkpoint):
    """Removes a checkpoint atomically: a kill leaves no half of it under its name."""
    aside = checkpoint.with_name(f".removed-{checkpoint.name}")
    if aside.exists():  # left half removed by a kill
        shutil.rmtree(aside)
    os.replace(checkpoint, aside)
    shutil.rmtree(aside)


def _newest_first(directory):
    return sorted(Path(directory).glob("step-*"), reverse=True)


def latest(directory):
    """The newest checkpoint's path, or None."""
    return next(iter(_newest_first(directory)), None)


def step_of(path):
    """The training step of a checkpoint."""
    return int(Path(path).name.removeprefix("step-").partition(".")[0])


def scores(path):
    """The scores that `save` kept: numbers by name, and the "history" of a search.

    Raises:
        ValueError: the file is damaged or was edited.
    """
    path = Path(path) / "scores.json"
    kept = read_json(path)
    check_fields(kept, {name: list if name == "history" else NUMBER for name in kept}, path)
    return kept


def last_scores(directory):
    """The `scores` of the newest checkpoint; empty without one, or if they cannot be read."""
    path = latest(directory)
    try:
        return {} if path is None else scores(path)
    except (OSError, ValueError) as error:
        logging.warning("Cannot read the scores of the checkpoint %s: %s", path, error)
        return {}


def restore(state, directory):
    """Restores `state`, which must include all that was saved, from the newest checkpoint.

    A checkpoint that cannot be read is set aside with a warning, and the one before it is used.

    Returns:
        The path of the checkpoint, or None where there is none.

    Raises:
        OSError: there are checkpoints, but none can be read.
    """
    path, unreadable = _restore_newest(
        directory, lambda path: _read(state, path, lambda status: status.assert_consumed())
    )
    for damaged in unreadable:  # to free the step's name
        aside = damaged.with_name(f"damaged-{damaged.name}")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(damaged, aside)
    return path


def restore_part(state, directory):
    """Like `restore`, for a `state` that is only part of what was saved; sets nothing aside."""

    def read(path):
        _read(state, path, lambda status: status.assert_existing_objects_matched())

    path, _ = _restore_newest(directory, read)
    return path


def _read(state, path, check):
    """Reads a checkpoint into `state`; `check` raises if they do not match."""
    with taken_literally(path) as directory:
        status = tf.train.Checkpoint(**state).read(str(directory / "state"))
    try:
        check(status)
    finally:
        status.expect_partial()  # or TensorFlow logs a line for each unused value


def _one_line(error):
    """The beginning of a TensorFlow message, which may list every value of the state."""
    said = " ".join(str(error).split())
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"


def _restore_newest(directory, read):
    """The path of the newest checkpoint that can be read, and those that cannot."""
    faults = {}
    for path in _newest_first(directory):
        try:
            scores(path)
            read(path)
        except (OSError, ValueError, tf.errors.OpError, AssertionError, IndexError) as error:
            faults[path] = f"Cannot read the checkpoint {path}: {_one_line(error)}"
            continue
        for fault in faults.values():
            logging.warning("%s Taken instead: %s", fault, path.name)
        return path, list(faults)
    if faults:
        raise OSError(next(iter(faults.values())))
    return None, []
