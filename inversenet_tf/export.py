"""Export of a trained model as a SavedModel with one named signature for every size."""

import os
import shutil
from pathlib import Path

import keras
import tensorflow as tf

SIGNATURE = "serving_default"


def export(model, output):
    """Writes a SavedModel, whole or not at all.

    Its signature `serving_default` takes `measurements`, float32 [batch, height, width,
    channels] in [0, 1] of any batch and size, and gives `restored`, of the same shape and range.

    Args:
        model: a trained `InverseNet`.
        output: the directory to make; it must not exist.

    Raises:
        ValueError: the directory exists.
    """
    output = Path(output)
    if output.exists():
        raise ValueError(f"Expected a new directory. Received: {output}, which exists.")
    spec = tf.TensorSpec((None, None, None, model.unet.channels), tf.float32, "measurements")

    def serve(measurements):
        return {"restored": model.restore(measurements)["restored"]}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(SIGNATURE, serve, input_signature=[spec])
    partial = output.with_name(output.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    archive.write_out(partial, verbose=False)
    os.rename(partial, output)
