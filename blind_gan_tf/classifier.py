"""A classifier that tells whether a separated digit can still be read."""

from pathlib import Path

import keras
import numpy as np

from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.imaging.files.arrays import read_arrays


def lenet() -> keras.Model:
    """LeNet-5: [batch, 32, 32, 1] in [0, 1] -> probabilities [batch, 10]."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(6, 5, activation="relu", name="c1"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu", name="c3"),
            layers.MaxPooling2D(),
            layers.Conv2D(120, 5, activation="relu", name="c5"),
            layers.Flatten(),
            layers.Dense(84, activation="relu", name="f6"),
            layers.Dense(10, activation="softmax", name="f7"),
        ]
    )


def load_classifier(path: str | Path) -> keras.Model:
    """Loads a classifier of images in [0, 1] from a file.

    Args:
        path: of a Keras model (`.keras`) that returns class probabilities, or of an `.npz` with
            LeNet-5's weights in PyTorch's layout and under its names (`convnet.c1.weight`, ...).

    Raises:
        ValueError: the file is missing or holds something else.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"Expected a classifier file (.keras or .npz). Received: no file {path}.")
    try:
        if path.suffix == ".keras":
            return load_keras(path)
        return _lenet_from_npz(path)
    except (ValueError, KeyError) as error:
        raise ValueError(f"Cannot read the classifier {path}: {error}") from error


def _lenet_from_npz(path):
    model = lenet()
    arrays = {tuple(key.split(".")[-2:]): value for key, value in read_arrays(path).items()}
    for layer in model.layers:
        if layer.weights:
            # PyTorch: [out, in(, height, width)]; Keras: [(height, width, )in, out].
            kernel = np.transpose(arrays[layer.name, "weight"])
            kernel = np.swapaxes(kernel, 0, 1) if kernel.ndim == 4 else kernel
            layer.set_weights([kernel, arrays[layer.name, "bias"]])
    return model


def read_digits(classifier: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of each image: (classes, probabilities), both [batch]."""
    probabilities = classifier.predict(images, batch_size=512, verbose=0)
    return probabilities.argmax(-1), probabilities.max(-1)
