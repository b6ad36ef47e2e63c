"""Measurements y = N(A(x)): forward operators, blur kernels, noise and upsampling."""

import importlib

_PUBLIC = {
    "Operator": "inversenet_tf.imaging.physics.operators",
    "Blur": "inversenet_tf.imaging.physics.operators",
    "Downsampling": "inversenet_tf.imaging.physics.operators",
    "SpectralMean": "inversenet_tf.imaging.physics.operators",
    "Identity": "inversenet_tf.imaging.physics.operators",
    "Compose": "inversenet_tf.imaging.physics.operators",
    "build_operator": "inversenet_tf.imaging.physics.operators",
    "add_gaussian_noise": "inversenet_tf.imaging.physics.noise",
    "round_to_8_bits": "inversenet_tf.imaging.physics.noise",
    "bicubic": "inversenet_tf.imaging.physics.upsampling",
}
__all__ = list(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
    return sorted({*globals(), *__all__})
