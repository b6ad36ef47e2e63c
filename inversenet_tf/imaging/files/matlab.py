"""Reads the matrices of MATLAB files in a separate process.

Some damaged files of a few bytes crash the process that reads them, by SciPy as by HDF5.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from inversenet_tf.imaging.files.arrays import read_arrays
from inversenet_tf.imaging.files.memory import GIB, memory_limit

PROGRAM = "inversenet_tf.imaging.files.matlab_process"
ROOT = Path(__file__).parents[3]  # where the package lies
SECONDS = 60


def variables_of(path):
    """Returns all variables of a MATLAB file of version 5 or 7.3.

    Returns:
        List of (name, what it is, matrices), in the file's order: one array for a matrix of
        numbers, several for a cell of such matrices, and none for anything else.

    Raises:
        ValueError: the file cannot be read; the message is one line.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory, "matrices.npz")
        allowed = GIB + memory_limit()  # the libraries take address space of their own
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        # Idle threads for linear algebra would each take memory.
        environment = os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                [sys.executable, "-m", PROGRAM, str(path), str(output), str(allowed)],
                capture_output=True,
                env=environment,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"reading it takes more than {SECONDS} s") from error
        if done.returncode:
            raise ValueError(f"a damaged MATLAB file, which stops its reader: {_end(done)}")
        told = json.loads(done.stdout)
        if isinstance(told, dict):
            raise ValueError(told["error"])
        if not any(names for _, _, names in told):
            return [(name, kind, []) for name, kind, _ in told]
        arrays = read_arrays(output)
    return [(name, kind, [arrays[key] for key in keys]) for name, kind, keys in told]


def _end(done):
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[-1] if said else f"exit status {done.returncode}"
