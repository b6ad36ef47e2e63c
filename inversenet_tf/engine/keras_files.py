"""Reads Keras files of others as data, without running any code in them."""

import json
import math
import threading
import zipfile
from pathlib import Path

import keras
import tensorflow as tf

from inversenet_tf.imaging.files.arrays import check_unpacked
from inversenet_tf.imaging.files.memory import check_fits

SHOWN = 400  # characters of an error
CONFIG_MEMBER = "config.json"


def load_keras(path):
    """Loads the model of a `.keras` file, uncompiled.

    In Keras' safe mode: only functions and classes of Keras and of this project are used, by name.

    Raises:
        ValueError: the file is missing or damaged, holds code, or needs more memory than there is;
            the message is one line that names the file.
    """
    path = Path(path).expanduser()
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive)
            described = json.loads(archive.read(CONFIG_MEMBER))
        check_fits(_bytes_of_weights(described), "its weights")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and TensorFlow raise many kinds; MemoryError is among them
        said = " ".join((str(error) or type(error).__name__).split())
        raise ValueError(f"Cannot read the Keras file {path}: {said[:SHOWN]}") from error


def _bytes_of_weights(described):
    """Bytes that the weights of a model would take, without creating them.

    Args:
        described: the model's config, as a `.keras` file holds it.
    """
    sizes = []

    def build():
        # In this scope a variable has a shape and no value yet.
        with keras.StatelessScope(initialize_variables=False):
            try:
                model = keras.saving.deserialize_keras_object(
                    described | {"compile_config": None}, safe_mode=True
                )
                sizes.extend(_bytes_of(variable) for variable in model.variables)
            except Exception as error:
                sizes.append(error)

    # Keras would create these variables later, in the same thread; this one ends before that.
    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    for size in sizes:
        if isinstance(size, Exception):
            raise size
    return sum(sizes)


def _bytes_of(variable):
    return math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
