"""Checkpoints of a training run: networks, optimizers and step, whole or not at all."""

import contextlib
import json
import shutil
from pathlib import Path

import tensorflow as tf

from inversenet_tf.imaging.atomic import written_aside


def save(state, step, directory, scores=None):
    """Writes a checkpoint and then removes the ones before it.

    Args:
        state: dict of what is to be kept: built Keras networks, built optimizers, variables.
        step: of the training.
        directory: holds the checkpoints of one kind ("last" or "best").
        scores: dict of JSON values to keep beside the weights.
    """
    directory = Path(directory)
    newest = directory / f"step-{step:08d}"
    if newest.exists():  # of the same run at the same step: the same state
        return
    with written_aside(newest) as partial:
        tf.train.Checkpoint(**state).write(str(partial / "state"))
        (partial / "scores.json").write_text(json.dumps(scores or {}))
    for older in directory.glob("step-*"):
        if older != newest:
            shutil.rmtree(older)


def latest(directory):
    """The newest whole checkpoint's path, or None."""
    return max(Path(directory).glob("step-*"), default=None)


def step_of(path):
    """The training step that a checkpoint is of."""
    return int(Path(path).name.removeprefix("step-"))


def scores(path):
    """What `save` kept beside the weights."""
    return json.loads((Path(path) / "scores.json").read_text())


def restore(state, path):
    """Brings `state` back to where `save` left it; all that was kept must be in it."""
    with _named(path):
        tf.train.Checkpoint(**state).read(str(Path(path) / "state")).assert_consumed()


def restore_part(state, path):
    """Loads into `state` alone, a part of what was kept, for use without training."""
    with _named(path):
        status = tf.train.Checkpoint(**state).read(str(Path(path) / "state"))
        status.assert_existing_objects_matched().expect_partial()


@contextlib.contextmanager
def _named(path):
    """Whatever TensorFlow says of a checkpoint it cannot read, the error names its path."""
    try:
        yield
    except (tf.errors.OpError, AssertionError, IndexError) as error:
        raise OSError(f"Cannot read the checkpoint {path}: {error}") from error
