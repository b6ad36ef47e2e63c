"""Reads NumPy's `.npy` and `.npz` files: numbers only, and after a check of their headers."""

import math
import zipfile
from pathlib import Path

import numpy as np

from inversenet_tf.imaging.files.memory import check_fits
from inversenet_tf.imaging.files.paths import check_regular

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
ARRAY_SUFFIX = ".npy"


def read_array(path):
    """Returns the array in a `.npy` file, of booleans or of real numbers.

    Raises:
        ValueError: the file is missing, holds other values or an axis without elements, or claims
            more values than are stored or than there is memory for; the message names the file.
    """
    path = Path(path).expanduser()
    try:
        check_regular(path)
        with open(path, "rb") as file:
            return _array(file, path.stat().st_size)
    except Exception as error:  # a damaged header fails in any way
        raise ValueError(f"Cannot read the array {path}: {_reason(error)}") from error


def read_arrays(path):
    """Returns {name: array} for a `.npz` file; raises the same errors as `read_array`."""
    path = Path(path).expanduser()
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive)
            arrays = {}
            for member in archive.infolist():
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(ARRAY_SUFFIX)] = _array(
                        file, member.file_size
                    )
            return arrays
    except Exception as error:  # a damaged archive fails in any way
        raise ValueError(f"Cannot read the arrays in {path}: {_reason(error)}") from error


def check_unpacked(archive):
    """Raises ValueError if a `zipfile.ZipFile` would unpack to more than there is memory for."""
    check_fits(2 * sum(member.file_size for member in archive.infolist()), "what is packed in it")


def _array(file, size):
    """Reads the array in an open file of `size` bytes."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"expected a format of version 1 or 2, received {version}")
    shape, is_transposed, dtype = HEADERS[version](file)
    if dtype.kind not in "biuf":
        raise ValueError(f"expected real numbers, received {dtype}")
    if any(side < 1 for side in shape):
        raise ValueError(f"expected elements along every axis, received shape {shape}")
    needed = math.prod(shape) * dtype.itemsize
    if needed > size:
        raise ValueError(f"its header claims shape {shape}, which {size} bytes cannot hold")
    check_fits(2 * needed, f"an array of shape {shape}")
    flat = np.frombuffer(file.read(needed), dtype)
    return np.array(flat.reshape(shape, order="F" if is_transposed else "C"))


def _reason(error):
    return str(error) or type(error).__name__
