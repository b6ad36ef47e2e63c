"""Export of a trained model as a SavedModel with one named signature for every size."""

from pathlib import Path

import keras
import tensorflow as tf

from inversenet_tf.imaging.atomic import written_aside

SIGNATURE = "serving_default"


def export(model, output):
    """Writes a SavedModel, whole or not at all.

    Its signature `serving_default` takes `measurements`, float32 [batch, height, width,
    channels] in [0, 1] of any batch and size, and gives `restored`, images of the same range.

    Args:
        model: a trained `InverseNet`.
        output: the directory to make; it must not exist.

    Raises:
        ValueError: the directory exists.
    """
    output = Path(output).expanduser()
    if output.exists():
        raise ValueError(f"Expected a new directory. Received: {output}, which exists.")
    spec = tf.TensorSpec((None, None, None, model.measured_channels), tf.float32, "measurements")

    def serve(measurements):
        return {"restored": model.restore(measurements)["restored"]}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(SIGNATURE, serve, input_signature=[spec])
    with written_aside(output) as partial:
        archive.write_out(partial, verbose=False)
