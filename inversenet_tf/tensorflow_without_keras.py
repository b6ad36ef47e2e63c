"""Imports TensorFlow without Keras, for programs that use an export and no networks in Python.

TensorFlow imports Keras last, for what Keras registers; that takes an eighth of the time.
Keras can be imported as usual afterwards.
"""

import sys

KERAS = "keras.src.optimizers"  # the only Keras module that TensorFlow asks for

if "keras" not in sys.modules:
    sys.modules[KERAS] = None  # the import raises ImportError, which TensorFlow ignores
    try:
        import inversenet_tf.quiet_tensorflow  # noqa: F401
    finally:
        del sys.modules[KERAS]
