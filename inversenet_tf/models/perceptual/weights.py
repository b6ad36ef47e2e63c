"""Weights of pre-trained networks: files of several origins to one dict, and that to a network.

The dict goes from a layer's name to its float32 arrays, [kernel, bias].
"""

import hashlib
import pickle
import re
import urllib.parse
from pathlib import Path

import h5py
import keras
import numpy as np

from inversenet_tf.imaging.files import hdf5
from inversenet_tf.imaging.files.atomic import written_aside

URL_SCHEMES = ("http://", "https://", "file://")
NUMERIC_TYPES = re.compile("b1|[iu][1248]|f[248]")  # as numpy.dtype's first argument
# Of torchvision's AlexNet: our names to its own, and its kernels' shapes, channels first.
TORCHVISION_LAYERS = {
    "conv1": ("features.0", (64, 3, 11, 11)),
    "conv2": ("features.3", (192, 64, 5, 5)),
    "conv3": ("features.6", (384, 192, 3, 3)),
    "conv4": ("features.8", (256, 384, 3, 3)),
    "conv5": ("features.10", (256, 256, 3, 3)),
    "fc6": ("classifier.1", (4096, 9216)),
}


def fetch(source, sha256="", advice=""):
    """The weight file at a path, or behind a URL by way of Keras' cache.

    Args:
        source: a path, or a URL of http, https or file.
        sha256: the file's SHA-256 in hexadecimal; a URL needs one.
        advice: where such a file comes from, for the error messages.

    Returns:
        The local path.

    Raises:
        ValueError: there is no such file, or it is another one.
    """
    source, sha256 = str(source), sha256.lower()
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"Expected a SHA-256 of 64 hexadecimal digits. Received: {sha256!r}")
    if source.startswith(URL_SCHEMES):
        return _download(source, sha256, advice)
    path = Path(source).expanduser()
    if not (source and path.is_file()):
        raise ValueError(f"Expected a weight file. Received: {source!r}. {advice}".rstrip())
    received = _sha256(path) if sha256 else ""
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


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_weights(path):
    """Reads a weight file; nothing in it is executed.

    Args:
        path: `.npy` of a pickled dict {name: [kernel, bias]}, by Python 2 or 3; or `.h5`, `.hdf5`
            in Keras' legacy layout, weights alone or a whole model.

    Returns:
        dict from layer name to a list of float32 arrays.

    Raises:
        ValueError: the file is of another kind or damaged, names other files, claims more than it
            stores, or holds what is empty or not finite.
    """
    path = Path(path)
    readers = {".npy": _read_npy, ".h5": _read_h5, ".hdf5": _read_h5}
    if path.suffix.lower() not in readers:
        raise ValueError(f"Expected a weight file of {', '.join(readers)}. Received: {path}")
    try:
        return readers[path.suffix.lower()](path)
    except Exception as error:  # damaged pickles and HDF5 files fail in any way
        raise ValueError(f"Cannot read the weights in {path}: {error}") from error


class _StoredType:
    """Stands for numpy.dtype in a pickle: a name such as "f4" and a byte order."""

    def __init__(self, name, *_):
        self.name = name
        self.order = "|"

    def __setstate__(self, state):
        self.order = state[1]

    def numeric(self):
        """As a NumPy type."""
        if not NUMERIC_TYPES.fullmatch(self.name):
            raise ValueError(f"Expected arrays of numbers. Received: type {self.name!r}")
        return np.dtype(self.order + self.name)


class _StoredArray:
    """Stands for numpy.ndarray in a pickle: takes the place of the arrays' own `__setstate__`.

    NumPy's would take a crafted type at its word, and bytes for the addresses of objects.
    """

    def __setstate__(self, state):
        _, self.shape, self.type, self.transposed, self.content = state

    def numeric(self):
        """As a float32 array."""
        content = self.content
        if isinstance(content, str):  # the bytes of Python 2, read as Latin-1
            content = content.encode("latin1")
        flat = np.frombuffer(content, self.type.numeric())
        order = "F" if self.transposed else "C"
        values = np.ascontiguousarray(flat.reshape(self.shape, order=order), np.float32)
        if not values.size or not np.isfinite(values).all():
            raise ValueError("Expected finite numbers. Received: some that are not, or none")
        return values


def _reconstruct(*_):
    return _StoredArray()


def _frombuffer(content, stored_type, shape, order):
    array = _StoredArray()
    array.__setstate__((1, shape, stored_type, order == "F", content))
    return array


def _encode(text, encoding):
    """How Python 3 writes bytes in an old protocol; not codecs.encode, which imports codecs."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"Expected Latin-1. Received: {encoding!r}")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, lists, strings and NumPy arrays, and calls nothing but the stand-ins above."""

    STAND_INS = {
        ("multiarray", "_reconstruct"): _reconstruct,
        ("numeric", "_frombuffer"): _frombuffer,
        ("numpy", "ndarray"): _StoredArray,
        ("numpy", "dtype"): _StoredType,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module, name):
        # NumPy 2 renamed numpy.core to numpy._core.
        stand_in = self.STAND_INS.get((re.sub(r"^numpy\._?core\.", "", module), name))
        if stand_in is None:
            raise pickle.UnpicklingError(f"Expected arrays only. Received: {module}.{name}")
        return stand_in


def _read_npy(path):
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if not dtype.hasobject or shape != ():
            raise ValueError(f"Expected one pickled dict. Received: {dtype} of shape {shape}")
        stored = _ArrayUnpickler(file, encoding="latin1").load()
    layers = stored.content[0]
    if not isinstance(layers, dict):
        raise ValueError(f"Expected a dict of layers. Received: {type(layers).__name__}")
    return {str(name): _numeric_arrays(name, arrays) for name, arrays in layers.items()}


def _numeric_arrays(name, stored):
    if not (
        isinstance(stored, (list, tuple))
        and all(isinstance(array, _StoredArray) for array in stored)
    ):
        raise ValueError(f"Expected a list of arrays for {name!r}. Received: {stored!r:.80}")
    return [array.numeric() for array in stored]


def _read_h5(path):
    with h5py.File(path) as file:
        group = hdf5.member(file, "model_weights") if "model_weights" in file else file
        if "layer_names" not in group.attrs:
            # Keras 3's own files call a layer by its class and a number.
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
    """An attribute's strings, which are bytes or not, by the writer's version."""
    return [n.decode() if isinstance(n, bytes) else str(n) for n in group.attrs[attribute]]


def from_torchvision(state):
    """Weights of `TorchvisionAlexNet` from torchvision's checkpoint.

    Args:
        state: dict from torchvision's names to NumPy arrays.

    Returns:
        dict from layer name to [kernel, bias], see `read_weights`.

    Raises:
        ValueError: it is no checkpoint of torchvision's AlexNet.
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
    """Writes weights as an HDF5 file in Keras' legacy layout, whole or not at all.

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
    """Sets the weights of all layers by name; what else the file holds is left aside.

    Args:
        network: a Keras model. A `/` in the file's names stands for `_`, as Keras 3 forbids it.
        weights: dict from layer name to arrays, see `read_weights`.

    Raises:
        ValueError: a layer is missing or of another shape; then nothing is set.
    """
    found = {name.replace("/", "_"): arrays for name, arrays in weights.items()}
    layers = [layer for layer in network.layers if layer.weights]
    for layer in layers:
        expected = [tuple(variable.shape) for variable in layer.weights]
        wanted = f"Expected the layer {layer.name!r} of {network.name!r} with shapes {expected}"
        if layer.name not in found:
            raise ValueError(f"{wanted}. Received: a file of {', '.join(found) or 'no layers'}")
        received = [array.shape for array in found[layer.name]]
        if received != expected:
            raise ValueError(f"{wanted}. Received: {received}")
    for layer in layers:
        layer.set_weights(found[layer.name])
