"""Imports TensorFlow without its log lines and without packages that only its extras need.

Importing this module before anything else that imports TensorFlow makes programs start 1.5 s
sooner on two cores: Keras tries to import scikit-learn and matplotlib, for wrappers and drawings
that this project does not use, and the old Keras inside TensorFlow tries SciPy's sparse matrices.
All can be imported as usual afterwards.
"""

import contextlib
import importlib
import os
import re
import sys
import tempfile

# TensorFlow's C++ side reports the lack of a GPU and its own retried optimisations as errors.
LEVEL = "TF_CPP_MIN_LOG_LEVEL"
IS_OURS = os.environ.setdefault(LEVEL, "3") == "3"

UNUSED = ("sklearn", "matplotlib")
UNUSED_BY_TENSORFLOW = (*UNUSED, "scipy.sparse")
# What TensorFlow 2.21 writes during its import at any log level: I lines, each beginning with the
# date, and the notice that no log has been set up yet.
NOTICE = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog\(\)")


@contextlib.contextmanager
def without_notices():
    """Drops what C++ code only notes on standard error; all else is written at the end."""
    try:
        kept = os.dup(2)
    except OSError:  # a program may have closed it
        yield
        return
    with tempfile.TemporaryFile() as written:
        sys.stderr.flush()
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not NOTICE.match(line):
                    os.write(2, line)


@contextlib.contextmanager
def without(*packages):
    """Makes imports of these packages fail, as if not installed, unless already imported."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # None: the import raises ImportError
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with without(*UNUSED_BY_TENSORFLOW), without_notices() if IS_OURS else contextlib.nullcontext():
    import tensorflow


def import_keras():
    """Imports Keras in the same way, after `tensorflow_without_keras` has left it out."""
    with without(*UNUSED):
        importlib.import_module("keras")


__all__ = ["import_keras", "tensorflow"]
