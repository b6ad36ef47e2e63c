"""TensorFlow, imported without Keras, for programs that use an export and no networks of Python.

TensorFlow imports Keras at its end, for what Keras registers, which takes an eighth of the time.
Keras can be imported as usual afterwards.
"""

import sys

KERAS = "keras.src.optimizers"  # the one module of it that TensorFlow asks for

if "keras" not in sys.modules:
    sys.modules[KERAS] = None  # the import raises ImportError, which TensorFlow passes over
    try:
        import inversenet_tf.quiet_tensorflow  # noqa: F401
    finally:
        del sys.modules[KERAS]
