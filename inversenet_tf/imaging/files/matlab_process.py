"""Reads a MATLAB file for `matlab.variables_of`, in a process that a damaged file may crash.

Arguments: the file, the `.npz` to write its matrices to, and the bytes of memory it may take. It
prints a JSON list of [name, what it is, names of its matrices in the `.npz`], or {"error": ...}.
"""

import json
import sys

import h5py
import numpy as np

from inversenet_tf.imaging.files import hdf5

NUMBERS = "biuf"  # kinds of NumPy's types
TEXT, STRUCTURE, OTHER = "text", "a structure", "no matrix of numbers"


def limit_memory(allowed):
    """Limits the process' memory where the system can, as small files may ask for too much."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def variables_of_version_5(path):
    """Yields (name, what it is, list of matrices) for each variable of a file of version 5."""
    import scipy.io

    for name, value in scipy.io.loadmat(path).items():
        if not name.startswith("__"):
            yield name, *_of_version_5(value)


def _of_version_5(value):
    if not isinstance(value, np.ndarray):
        return OTHER, []
    if value.dtype.names:
        return STRUCTURE, []
    if value.dtype.kind == "U":
        return TEXT, []
    if value.dtype != object:
        return _shape(value), [value] if value.dtype.kind in NUMBERS and value.size else []
    if any(isinstance(cell, np.ndarray) and cell.dtype == object for cell in value.ravel()):
        return "a cell of cells", []
    cells = [_of_version_5(cell) for cell in value.ravel()]
    if any(len(matrices) != 1 for _, matrices in cells):
        return "a cell with more than matrices", []
    return f"a cell of {len(cells)}", [matrix for _, [matrix] in cells]


def variables_of_version_7(path):
    """Yields the same for a file of version 7.3, which is HDF5."""
    with h5py.File(path) as file:
        for name in file:
            if not name.startswith("#"):
                try:
                    yield name, *_of_version_7(file, hdf5.member(file, name), name)
                except ValueError as error:  # the caller may want another variable
                    yield name, str(error), []


def _of_version_7(file, value, name):
    if isinstance(value, h5py.Group):
        return STRUCTURE, []
    if value.attrs.get("MATLAB_class", b"") == b"char":
        return TEXT, []
    if value.attrs.get("MATLAB_empty", 0):
        return "empty", []
    if h5py.check_ref_dtype(value.dtype) is h5py.Reference:
        hdf5.check_stored(value, name)
        cells = [file[reference] for reference in value[()].ravel() if reference]
        if any(not isinstance(c, h5py.Dataset) or c.dtype.kind not in NUMBERS for c in cells):
            return "a cell with more than matrices", []
        return f"a cell of {len(cells)}", [hdf5.numbers(cell, name).T for cell in cells]
    if value.dtype.kind not in NUMBERS:
        return OTHER, []
    matrix = hdf5.numbers(value, name).T  # MATLAB stores columns first
    return _shape(matrix), [matrix]


def _shape(matrix):
    return "x".join(map(str, matrix.shape))


def main(path, output, allowed):
    """Reads a file within `allowed` bytes; writes arrays to `output`, prints names or an error."""
    limit_memory(int(allowed))
    try:
        read = variables_of_version_7 if h5py.is_hdf5(path) else variables_of_version_5
        variables = list(read(path))
        matrices = {
            f"{n}-{m}": x for n, (_, _, some) in enumerate(variables) for m, x in enumerate(some)
        }
        np.savez(output, **matrices)
        told = [
            [name, kind, [f"{n}-{m}" for m in range(len(some))]]
            for n, (name, kind, some) in enumerate(variables)
        ]
    except Exception as error:  # a damaged file fails in any way
        told = {"error": " ".join(str(error).split()) or type(error).__name__}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
