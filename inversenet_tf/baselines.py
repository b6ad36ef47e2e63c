"""The baselines that need no training: each a function (measurements, operator, config) -> images.

Measurements and images are float32 [batch, height, width, channels] in [0, 1], `operator` is an
`Operator`, `config` the `Config` of the experiment.
"""

import functools

import numpy as np

from inversenet_tf.config import CLOSED_FORMS
from inversenet_tf.imaging.baselines.lmmse import lmmse
from inversenet_tf.imaging.baselines.total_variation import default_weight, tv_l1
from inversenet_tf.imaging.baselines.wiener import wiener
from inversenet_tf.imaging.physics.kernels import mismatched
from inversenet_tf.imaging.physics.upsampling import bicubic


def _degraded(measurements, operator, config):
    return measurements


def _bicubic(measurements, operator, config):
    upsampled = bicubic(measurements, operator.scale, operator.phase, config.operator.boundary)
    return np.repeat(upsampled, config.data.channels // upsampled.shape[-1], axis=-1)


def _wiener(measurements, operator, config):
    return wiener(measurements, operator.kernel, config.noise.gaussian_sigma)


def _lmmse(measurements, operator, config, spectrum=None):
    return lmmse(
        measurements,
        operator.kernel,
        config.noise.gaussian_sigma,
        spectrum,
        boundary=config.operator.boundary,
        scale=operator.scale,
        phase=int(operator.phase),
        to_gray=config.operator.name == "joint",
    )


def _wiener_mismatched(measurements, operator, config):
    return wiener(measurements, mismatched(operator.kernel), config.noise.gaussian_sigma)


def _tv_l1(measurements, operator, config):
    return tv_l1(measurements, operator.kernel, default_weight(config.noise.gaussian_sigma))


BASELINES = {
    "degraded": _degraded,
    "bicubic": _bicubic,
    "wiener": _wiener,  # the kernel known
    "lmmse": _lmmse,  # the linear optimum: kernel, noise and the images' spectrum known
    "wiener_mismatched": _wiener_mismatched,  # the kernel turned, as the paper's figures suggest
    "tv_l1": _tv_l1,  # Xu & Jia 2010, kernel known: Table 1's "robust motion deblur"
}


def baseline(name, operator, config):
    """One of `BASELINES` as a function from measurements to {name: images}."""

    def apply(measurements):
        return {name: BASELINES[name](measurements, operator, config)}

    return apply


def _measured(inputs):
    """The measurements, where each has a kernel and a noise of its own."""
    return {"degraded": inputs["measurements"]}


def _told_lmmse(inputs, config, spectrum):
    """The linear optimum for such, told both."""
    return {
        "lmmse": lmmse(
            inputs["measurements"],
            inputs["kernels"][..., np.newaxis],
            inputs["noise_sigmas"],
            spectrum,
            boundary=config.operator.boundary,
        )
    }


def usual_baselines(operator, config, is_known=True, spectrum=None):
    """The baselines that every evaluation shows: functions as `evaluation.score` takes them.

    Args:
        operator: an `Operator`.
        config: the `Config` of the run.
        is_known: whether it is the operator that made the measurements; of a user's own pairs
            nobody knows the operator.
        spectrum: of the training images, for the linear optimum; None for that of natural images.
    """
    if operator.is_varied:
        return [_measured, functools.partial(_told_lmmse, config=config, spectrum=spectrum)]
    names = ["bicubic" if config.operator.scale > 1 else "degraded"]
    if is_known and config.operator.name == "blur":
        names.append("wiener")
    methods = [baseline(name, operator, config) for name in names]
    if is_known and config.operator.name in CLOSED_FORMS:
        methods.append(
            lambda measurements: {"lmmse": _lmmse(measurements, operator, config, spectrum)}
        )
    return methods
