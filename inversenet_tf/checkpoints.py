"""Checkpoints of a training run: networks, optimizers and step, whole or not at all."""

import contextlib
import json
import shutil
from pathlib import Path

import tensorflow as tf

from inversenet_tf.imaging.atomic import written_aside
from inversenet_tf.inversenet import NETWORKS


def _state(model):
    """What a checkpoint holds; the step is the optimizers' iteration count."""
    networks = {name: getattr(model, name) for name in NETWORKS}
    optimizers = {f"{name}_optimizer": o for name, o in model.optimizers.items()}
    return tf.train.Checkpoint(**networks, **optimizers)


def save(model, directory, scores):
    """Writes a checkpoint of a compiled model and then removes the ones before it.

    Args:
        model: compiled `InverseNet`.
        directory: holds the checkpoints of one kind ("last" or "best").
        scores: dict of JSON values to keep beside the weights.
    """
    directory = Path(directory)
    newest = directory / f"step-{model.step:08d}"
    if newest.exists():  # of the same run at the same step: the same state
        return
    with written_aside(newest) as partial:
        _state(model).write(str(partial / "state"))
        (partial / "scores.json").write_text(json.dumps(scores))
    for older in directory.glob("step-*"):
        if older != newest:
            shutil.rmtree(older)


def latest(directory):
    """The newest whole checkpoint's path, or None."""
    return max(Path(directory).glob("step-*"), default=None)


def scores(path):
    """What `save` kept beside the weights."""
    return json.loads((Path(path) / "scores.json").read_text())


def restore(model, path):
    """Brings a compiled model back to where `save` left it, optimizers and step included."""
    with _named(path):
        _state(model).read(str(Path(path) / "state")).assert_consumed()


def restore_networks(model, path):
    """Loads the weights of the U-Net and the DAE alone, for use without training."""
    networks = tf.train.Checkpoint(unet=model.unet, dae=model.dae)
    with _named(path):
        status = networks.read(str(Path(path) / "state"))
        status.assert_existing_objects_matched().expect_partial()


@contextlib.contextmanager
def _named(path):
    """Whatever TensorFlow says of a checkpoint it cannot read, the error names its path."""
    try:
        yield
    except (tf.errors.OpError, AssertionError, IndexError) as error:
        raise OSError(f"Cannot read the checkpoint {path}: {error}") from error
