"""Reads weights pickled into a `.npy`, as bvlc_alexnet.npy, without executing anything."""

import pickle
import re

import numpy as np

NUMERIC_TYPES = re.compile("b1|[iu][1248]|f[248]")  # as numpy.dtype's first argument


def read_pickled(path):
    """Reads a weight file; nothing in it is executed.

    Args:
        path: `.npy` of a pickled dict {name: [kernel, bias]}, by Python 2 or 3.

    Returns:
        dict from layer name to a list of float32 arrays.

    Raises:
        ValueError: the file is of another kind, or damaged.
    """
    try:
        return _read_npy(path)
    except Exception as error:  # damaged pickles fail in many ways
        raise ValueError(f"Cannot read the weights in {path}: {error}") from error


class _StoredType:
    """Stands in for numpy.dtype in a pickle: a name such as "f4" and a byte order."""

    def __init__(self, name, *_):
        self.name = name
        self.order = "|"

    def __setstate__(self, state):
        self.order = state[1]

    def numeric(self):
        """Returns the NumPy type."""
        if not NUMERIC_TYPES.fullmatch(self.name):
            raise ValueError(f"Expected arrays of numbers. Received: type {self.name!r}")
        return np.dtype(self.order + self.name)


class _StoredArray:
    """Stands in for numpy.ndarray in a pickle, with a `__setstate__` that only stores the parts.

    NumPy's would trust a crafted type, and take bytes for the addresses of objects.
    """

    def __setstate__(self, state):
        _, self.shape, self.type, self.transposed, self.content = state

    def numeric(self):
        """Returns a float32 array."""
        content = self.content
        if isinstance(content, str):  # the bytes of Python 2, read as Latin-1
            content = content.encode("latin1")
        flat = np.frombuffer(content, self.type.numeric())
        order = "F" if self.transposed else "C"
        return np.ascontiguousarray(flat.reshape(self.shape, order=order), np.float32)


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
