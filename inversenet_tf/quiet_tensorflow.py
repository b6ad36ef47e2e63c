"""TensorFlow, imported without its log lines and without what Keras imports for wrappers alone.

Importing this module before anything else that imports TensorFlow makes programs start 1.5 s
sooner on two cores: Keras tries to import scikit-learn and matplotlib, for wrappers and drawings
that this project does not use. Both can be imported as usual afterwards.
"""

import contextlib
import importlib
import os
import sys

# TensorFlow's C++ side reports the lack of a GPU and its own retried optimisations as errors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

UNUSED = ("sklearn", "matplotlib")


@contextlib.contextmanager
def without(*packages):
    """Lets imports of these packages fail, as if they were not installed, where they are new."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # None: the import raises ImportError
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with without(*UNUSED):
    import tensorflow


def import_keras():
    """Imports Keras in the same way, where `tensorflow_without_keras` has left it out."""
    with without(*UNUSED):
        importlib.import_module("keras")


__all__ = ["import_keras", "tensorflow"]
