"""Checkpoints of a training run: networks, optimizers and step, whole or not at all."""

import json
import os
import shutil
from pathlib import Path

import tensorflow as tf

NETWORKS = ("unet", "dae", "discriminator")


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
    final = directory / f"step-{model.step:08d}"
    partial = directory / f".partial-{model.step:08d}"
    for leftover in directory.glob(".partial-*"):
        shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    _state(model).write(str(partial / "state"))
    (partial / "scores.json").write_text(json.dumps(scores))
    if final.exists():
        shutil.rmtree(final)
    os.rename(partial, final)
    for older in directory.glob("step-*"):
        if older != final:
            shutil.rmtree(older)


def latest(directory):
    """The newest whole checkpoint's path, or None."""
    return max(Path(directory).glob("step-*"), default=None)


def scores(path):
    """What `save` kept beside the weights."""
    return json.loads((Path(path) / "scores.json").read_text())


def restore(model, path):
    """Brings a compiled model back to where `save` left it, optimizers and step included."""
    _state(model).read(str(Path(path) / "state")).assert_consumed()


def restore_networks(model, path):
    """Loads the weights of the U-Net and the DAE alone, for use without training."""
    networks = tf.train.Checkpoint(unet=model.unet, dae=model.dae)
    status = networks.read(str(Path(path) / "state"))
    status.assert_existing_objects_matched().expect_partial()
