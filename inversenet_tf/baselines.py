"""The rivals that need no training: each a function (measurements, operator, config) -> images.

Measurements and images are float32 [batch, height, width, channels] in [0, 1], `operator` is an
`Operator`, `config` the `Config` of the experiment.
"""

import numpy as np

from inversenet_tf.imaging.baselines.total_variation import default_weight, tv_l1
from inversenet_tf.imaging.baselines.wiener import wiener
from inversenet_tf.imaging.physics.kernels import misjudged
from inversenet_tf.imaging.physics.upsampling import bicubic


def _degraded(measurements, operator, config):
    return measurements


def _bicubic(measurements, operator, config):
    enlarged = bicubic(measurements, operator.scale, operator.phase, config.operator.boundary)
    return np.repeat(enlarged, config.data.channels // enlarged.shape[-1], axis=-1)


def _wiener(measurements, operator, config):
    return wiener(measurements, operator.kernel, config.noise.gaussian_sigma)


def _wiener_misjudged(measurements, operator, config):
    return wiener(measurements, misjudged(operator.kernel), config.noise.gaussian_sigma)


def _tv_l1(measurements, operator, config):
    return tv_l1(measurements, operator.kernel, default_weight(config.noise.gaussian_sigma))


RIVALS = {
    "degraded": _degraded,
    "bicubic": _bicubic,
    "wiener": _wiener,  # the kernel known
    "wiener_misjudged": _wiener_misjudged,  # the kernel turned, as the paper's figures suggest
    "tv_l1": _tv_l1,  # Xu & Jia 2010, kernel known: Table 1's "robust motion deblur"
}


def rival(name, operator, config):
    """One of `RIVALS` as a function from measurements to {name: images}."""

    def apply(measurements):
        return {name: RIVALS[name](measurements, operator, config)}

    return apply


def usual_rivals(operator, config, is_known=True):
    """The rivals that every evaluation shows.

    Args:
        operator: an `Operator`.
        config: the `Config` of the run.
        is_known: whether it is the operator that made the measurements; of a user's own pairs
            nobody knows the operator.
    """
    names = ["bicubic" if config.operator.scale > 1 else "degraded"]
    if is_known and config.operator.name == "blur":
        names.append("wiener")
    return [rival(name, operator, config) for name in names]
