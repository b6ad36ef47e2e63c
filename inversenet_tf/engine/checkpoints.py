"""Checkpoints of a training run: all its state, whole or not at all."""

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
        state: dict of what is to be kept: built Keras networks, built optimizers, variables.
        step: of the training.
        directory: holds the checkpoints of one kind ("last" or "best").
        scores: dict of JSON values to keep beside the weights.
        keep: how many of this kind may stay.
    """
    directory = Path(directory)
    newest = directory / f"step-{step:08d}"
    again = directory / f"step-{step:08d}.again"  # where its validation was broken off before
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
    """Gives a step that was saved anew its name; at any moment one of both is there, and whole."""
    if again.exists():
        if checkpoint.exists():
            _remove(checkpoint)
        os.replace(again, checkpoint)


def _remove(checkpoint):
    """At once, as others see it: a kill in the middle leaves no half of it under its name."""
    aside = checkpoint.with_name(f".removed-{checkpoint.name}")
    if aside.exists():  # half removed, by an earlier kill
        shutil.rmtree(aside)
    os.replace(checkpoint, aside)
    shutil.rmtree(aside)


def _newest_first(directory):
    return sorted(Path(directory).glob("step-*"), reverse=True)


def latest(directory):
    """The newest checkpoint's path, or None."""
    return next(iter(_newest_first(directory)), None)


def step_of(path):
    """The training step that a checkpoint is of."""
    return int(Path(path).name.removeprefix("step-").partition(".")[0])


def scores(path):
    """What `save` kept beside the weights: numbers by name, and of a search its "history".

    Raises:
        ValueError: the file is damaged, or was edited.
    """
    path = Path(path) / "scores.json"
    kept = read_json(path)
    check_fields(kept, {name: list if name == "history" else NUMBER for name in kept}, path)
    return kept


def last_scores(directory):
    """`scores` of the newest checkpoint; none where there is none, or it cannot be read."""
    path = latest(directory)
    try:
        return {} if path is None else scores(path)
    except (OSError, ValueError) as error:
        logging.warning("Cannot read the scores of the checkpoint %s: %s", path, error)
        return {}


def restore(state, directory):
    """Brings `state` back to where `save` left it; all that was kept must be in it.

    A checkpoint that cannot be read is set aside with a warning; the one before it is taken.

    Returns:
        The path of the checkpoint, or None where there is none.

    Raises:
        OSError: none of those that are there can be read.
    """
    path, unreadable = _restore_newest(
        directory, lambda path: _read(state, path, lambda status: status.assert_consumed())
    )
    for damaged in unreadable:  # so that the step's name is free again
        aside = damaged.with_name(f"damaged-{damaged.name}")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(damaged, aside)
    return path


def restore_part(state, directory):
    """The same for a `state` that is a part of what was kept, for use without training."""

    def read(path):
        _read(state, path, lambda status: status.assert_existing_objects_matched())

    path, _ = _restore_newest(directory, read)
    return path


def _read(state, path, check):
    """Reads a checkpoint into `state`; `check` raises where they do not fit each other."""
    with taken_literally(path) as directory:
        status = tf.train.Checkpoint(**state).read(str(directory / "state"))
    try:
        check(status)
    finally:
        status.expect_partial()  # else TensorFlow names each value that is left, in a line


def _one_line(error):
    """The beginning of what TensorFlow says, which may go on with every value of the state."""
    said = " ".join(str(error).split())
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"


def _restore_newest(directory, read):
    """The path of the newest checkpoint that could be read, and those that could not."""
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
