"""Weights of pre-trained networks: from an HDF5 file to a dict, and from there to a network.

The dict maps a layer's name to its float32 arrays, [kernel, bias].
"""

import re
import urllib.parse
from pathlib import Path

import h5py
import keras
import numpy as np

from inversenet_tf.imaging.files import hdf5
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.digests import sha256_of

SUFFIXES = (".h5", ".hdf5")
URL_SCHEMES = ("http://", "https://", "file://")
# Of torchvision's AlexNet: its names by ours, and its kernels' shapes, channels first.
TORCHVISION_LAYERS = {
    "conv1": ("features.0", (64, 3, 11, 11)),
    "conv2": ("features.3", (192, 64, 5, 5)),
    "conv3": ("features.6", (384, 192, 3, 3)),
    "conv4": ("features.8", (256, 384, 3, 3)),
    "conv5": ("features.10", (256, 256, 3, 3)),
    "fc6": ("classifier.1", (4096, 9216)),
}


def fetch(source, sha256="", advice=""):
    """Finds the weight file at a path, or downloads it from a URL into Keras' cache.

    Args:
        source: a path, or a URL of http, https or file.
        sha256: the file's SHA-256 in hexadecimal; required for a URL.
        advice: where to get such a file, for error messages.

    Returns:
        The local path.

    Raises:
        ValueError: there is no such file, its digest differs, or a URL has none.
    """
    source, sha256 = str(source), sha256.lower()
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"Expected a SHA-256 of 64 hexadecimal digits. Received: {sha256!r}")
    if source.startswith(URL_SCHEMES):
        return _download(source, sha256, advice)
    path = Path(source).expanduser()
    if not (source and path.is_file()):
        raise ValueError(f"Expected a weight file. Received: {source!r}. {advice}".rstrip())
    received = sha256_of(path) if sha256 else ""
    if received != sha256:
        raise ValueError(
            f"Expected {path} with the SHA-256 {sha256}. Received: {received}. {advice}".rstrip()
        )
    return path


def _download(url, sha256, advice):
    if not sha256:
        raise ValueError(f"Expected the SHA-256 of a file to download. Received: none for {url}")
    name = f"{sha256[:16]}-{Path(urllib.parse.urlsplit(url).path).name}"
    try:
        path = keras.utils.get_file(
            name, url, file_hash=sha256, hash_algorithm="sha256", cache_subdir="inversenet_tf"
        )
    except Exception as error:  # Keras raises no narrower class
        raise ValueError(
            f"Expected a weight file with the SHA-256 {sha256} at {url}. Received: {error} {advice}"
        ) from error
    return Path(path)


def read_weights(path):
    """Reads a weight file without executing anything in it.

    Args:
        path: `.h5` or `.hdf5` in Keras' legacy layout, weights alone or a whole model.

    Returns:
        dict from layer name to a list of float32 arrays.

    Raises:
        ValueError: the file is of another kind or damaged, refers to other files, claims more than
            it stores, or holds values that are empty or not finite.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"Expected a weight file of {', '.join(SUFFIXES)}, which tools/convert_weights.py "
            f"makes from others. Received: {path}"
        )
    try:
        return _read_h5(path)
    except Exception as error:  # damaged HDF5 files fail in any way
        raise ValueError(f"Cannot read the weights in {path}: {error}") from error


def _read_h5(path):
    with h5py.File(path) as file:
        group = hdf5.member(file, "model_weights") if "model_weights" in file else file
        if "layer_names" not in group.attrs:
            # Keras 3's own files name a layer by its class and a number.
            raise ValueError(
                "Expected the legacy layout, which names the layers. "
                f"Received: groups {', '.join(group) or 'none'}"
            )
        layers = {name: hdf5.member(group, name) for name in _names(group, "layer_names")}
        return {
            name: [
                hdf5.numbers(hdf5.member(layer, key), f"{name}/{key}").astype(np.float32)
                for key in _names(layer, "weight_names")
            ]
            for name, layer in layers.items()
            if len(layer.attrs["weight_names"])
        }


def _names(group, attribute):
    """An attribute's strings, which are bytes or str depending on the writer's version."""
    return [n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs[attribute]]


def from_torchvision(state):
    """Converts torchvision's checkpoint to weights of `TorchvisionAlexNet`.

    Args:
        state: dict from torchvision's names to NumPy arrays.

    Returns:
        dict from layer name to [kernel, bias], see `read_weights`.

    Raises:
        ValueError: it is not a checkpoint of torchvision's AlexNet.
    """
    weights = {}
    for name, (source, shape) in TORCHVISION_LAYERS.items():
        parts = [state.get(f"{source}.weight"), state.get(f"{source}.bias")]
        received = [getattr(part, "shape", None) for part in parts]
        if received != [shape, shape[:1]]:
            raise ValueError(
                f"Expected {source} of torchvision's AlexNet with shapes {[shape, shape[:1]]}. "
                f"Received: {received}"
            )
        kernel = parts[0].reshape(4096, 256, 6, 6) if name == "fc6" else parts[0]
        kernel = kernel.transpose(2, 3, 1, 0)  # channels first -> channels last
        kernel = kernel.reshape(9216, 4096) if name == "fc6" else kernel
        weights[name] = [np.ascontiguousarray(part, np.float32) for part in (kernel, parts[1])]
    return weights


def write_h5(path, weights):
    """Writes weights atomically as an HDF5 file in Keras' legacy layout.

    Args:
        path: ends in `.h5` or `.hdf5`.
        weights: dict from layer name to arrays.
    """
    with written_aside(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in weights]
        file.attrs["backend"] = b"tensorflow"
        for name, arrays in weights.items():
            layer = file.create_group(name)
            names = [f"{name}/{part}:0" for part in ("kernel", "bias")[: len(arrays)]]
            layer.attrs["weight_names"] = [n.encode() for n in names]
            for key, array in zip(names, arrays, strict=True):
                layer[key] = np.asarray(array, np.float32)


def assign(network, weights):
    """Sets the weights of all layers of a network by name; other weights are ignored.

    Args:
        network: a Keras model.
        weights: dict from layer name to arrays, see `read_weights`. A `/` in a name stands for the
            network's `_`, as Keras 3 forbids `/`.

    Raises:
        ValueError: a layer is missing or has another shape; no weights are set then.
    """
    present = {name.replace("/", "_"): arrays for name, arrays in weights.items()}
    layers = [layer for layer in network.layers if layer.weights]
    for layer in layers:
        expected = [tuple(variable.shape) for variable in layer.weights]
        wanted = f"Expected the layer {layer.name!r} of {network.name!r} with shapes {expected}"
        if layer.name not in present:
            raise ValueError(f"{wanted}. Received: a file of {', '.join(present) or 'no layers'}")
        received = [array.shape for array in present[layer.name]]
        if received != expected:
            raise ValueError(f"{wanted}. Received: {received}")
    for layer in layers:
        layer.set_weights(present[layer.name])
