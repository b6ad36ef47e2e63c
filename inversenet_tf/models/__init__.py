"""The networks of InverseNet, their losses, and the model that trains them jointly."""

import importlib

_PUBLIC = {
    "UNet": "inversenet_tf.models.unet",
    "DAE": "inversenet_tf.models.dae",
    "Discriminator": "inversenet_tf.models.discriminator",
    "SRResNet": "inversenet_tf.models.srresnet",
    "DnCNN": "inversenet_tf.models.dncnn",
    "NeuralDeblur": "inversenet_tf.models.neural_deblur",
    "InverseNet": "inversenet_tf.models.inversenet",
    "build_model": "inversenet_tf.models.build",
}
__all__ = list(_PUBLIC)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
    return sorted({*globals(), *__all__})
