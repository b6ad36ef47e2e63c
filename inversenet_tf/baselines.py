"""The baselines that need no training: functions (measurements, operator, config) -> images.

Measurements and images are float32 [batch, height, width, channels] in [0, 1], `operator` is an
`Operator`, `config` the `Config` of the experiment. `degraded` and `lmmse` also accept what
`degrade_each` returns: measurements that each have their own kernel and noise level.
"""

import numpy as np

from inversenet_tf.config import CLOSED_FORMS
from inversenet_tf.imaging.baselines.lmmse import lmmse
from inversenet_tf.imaging.baselines.total_variation import default_weight, tv_l1
from inversenet_tf.imaging.baselines.wiener import wiener
from inversenet_tf.imaging.inputs import measurements_of, parts_of
from inversenet_tf.imaging.physics.kernels import mismatched
from inversenet_tf.imaging.physics.solvers import ASSUMED_NOISE
from inversenet_tf.imaging.physics.upsampling import bicubic

CHOSEN_ON = "chosen_on"  # key that says which images the constants were chosen on


def _degraded(inputs, operator, config):
    return measurements_of(inputs)


def _bicubic(measurements, operator, config):
    centre = operator.phase + operator.shift
    upsampled = bicubic(measurements, operator.scale, centre, config.operator.boundary)
    return np.repeat(upsampled, config.data.channels // upsampled.shape[-1], axis=-1)


def _wiener(measurements, operator, config, balance=None):
    return wiener(measurements, operator.kernel, config.noise.gaussian_sigma, balance)


def _lmmse(inputs, operator, config, spectrum=None, noise_factor=ASSUMED_NOISE):
    measurements, told = parts_of(inputs)
    kernel, noise_sigma = operator.kernel, config.noise.gaussian_sigma
    if told:
        kernel, noise_sigma = told["kernels"][..., np.newaxis], told["noise_sigmas"]
    return lmmse(
        measurements,
        kernel,
        noise_sigma,
        spectrum,
        noise_factor,
        boundary=config.operator.boundary,
        scale=operator.scale,
        phase=int(operator.phase),
        to_gray=config.operator.name == "joint",
    )


def _wiener_mismatched(measurements, operator, config, balance=None):
    kernel = mismatched(operator.kernel)
    return wiener(measurements, kernel, config.noise.gaussian_sigma, balance)


def _tv_l1(measurements, operator, config):
    return tv_l1(measurements, operator.kernel, default_weight(config.noise.gaussian_sigma))


BASELINES = {
    "degraded": _degraded,
    "bicubic": _bicubic,
    "wiener": _wiener,  # kernel known
    "lmmse": _lmmse,  # the linear optimum: kernel, noise and the images' spectrum known
    "wiener_mismatched": _wiener_mismatched,  # kernel rotated, as the paper's figures suggest
    "tv_l1": _tv_l1,  # Xu & Jia 2010, kernel known: Table 1's "robust motion deblur"
}


def baseline(name, operator, config, constants=None, spectrum=None):
    """One of `BASELINES` as a function from measurements to {name: images}.

    Args:
        constants: what `choose_constants` returned; None for the defaults.
        spectrum: of the training images, for "lmmse"; None for that of natural images.
    """
    options = {"spectrum": spectrum} if name == "lmmse" else {}
    chosen = (constants or {}).get(name, {})
    options |= {key: value for key, value in chosen.items() if key != CHOSEN_ON}

    def apply(measurements):
        return {name: BASELINES[name](measurements, operator, config, **options)}

    return apply


def usual_baselines(operator, config, is_known=True, spectrum=None, constants=None):
    """Returns the baselines that every evaluation shows, as functions for `evaluation.score`.

    Args:
        operator: an `Operator`.
        config: the `Config` of the run.
        is_known: whether this operator made the measurements; that of a user's own pairs is
            unknown.
        spectrum, constants: as for `baseline`.
    """
    names = ["bicubic" if config.operator.scale > 1 else "degraded"]
    if is_known and config.operator.name == "blur" and not operator.is_varied:
        names.append("wiener")
    if is_known and config.operator.name in CLOSED_FORMS:
        names.append("lmmse")
    return [baseline(name, operator, config, constants, spectrum) for name in names]
