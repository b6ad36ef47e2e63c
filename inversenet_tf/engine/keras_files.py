"""Keras files that others may have made: data that are read, never code that is run."""

import zipfile
from pathlib import Path

import keras

from inversenet_tf.imaging.files.arrays import check_unpacked

SHOWN = 400  # characters of what went wrong


def load_keras(path):
    """The model in a `.keras` file, without what it was compiled with.

    Keras' safe mode is on: functions and classes are those of Keras and of this project, by name.

    Raises:
        ValueError: no such file, one that is damaged, that holds code, or that asks for more memory
            than there is; the message is one line that names the file.
    """
    path = Path(path).expanduser()
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and TensorFlow raise many kinds; MemoryError is among them
        said = " ".join((str(error) or type(error).__name__).split())
        raise ValueError(f"Cannot read the Keras file {path}: {said[:SHOWN]}") from error
