"""Eq. 3 in closed form as the beginning of an inverter: measurements -> a few linear estimates."""

import keras
import tensorflow as tf

from inversenet_tf.imaging.physics.borders import unseen
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.solvers import (
    ASSUMED_NOISE,
    estimates_and_error,
    solve_at,
    solve_without_border,
)
from inversenet_tf.models.solver_layer import SolverLayer

# Multiples of the noise variance that the measurement has, at which an estimate is made, so that
# the network sees what more and less regularisation does. It corrects the first.
FACTORS = (ASSUMED_NOISE, 1.0, 10.0, 30.0)
# How many times the expected error a correction may be. At edges it is several times as large.
REACH = 8.0
# The error that is expected of a pixel whose light falls beyond the frame, in units of white.
UNSEEN_ERROR = 0.1


@keras.saving.register_keras_serializable("inversenet_tf")
class ClosedForm(SolverLayer):
    """The linear estimates of `solvers.solve_at` for several assumed noise levels.

    Nothing in it is trained: it is what the U-Net begins with and corrects.

    Args:
        kernel, **known: as for `SolverLayer`.
        scaled: whether what follows is in units of the error that the first estimate is expected to
            leave, see `_with_border`. So one network serves strong noise and almost none.
        noise_map: whether a map of the noise level follows the estimates, as for a network that
            was trained for several; None: where there is no kernel.

    Input: [batch, height, width, channels] in [0, 1], and, where it is another than its own, the
    kernel of each, [batch, height, width(, channels)], and its noise, [batch]. Output: a list of
    images of that range, not clipped, [batch, height * scale, width * scale, image channels]; the
    one for the first of `FACTORS` is the one to correct. Where scaled there follows a map of
    `REACH` times the expected error, [batch, height, width, 1], and of the other estimates their
    differences from the first one, by the expected error. The `noise_map` comes last.
    """

    def __init__(self, kernel=None, *, scaled=False, noise_map=None, **known):
        super().__init__(kernel, **known)
        self.scaled = scaled
        self.noise_map = self.kernel is None if noise_map is None else noise_map

    def call(self, measurements, kernels=None, noise_sigmas=None):
        kernel, variance = self._kernels_and_variance(kernels, noise_sigmas)
        arguments = measurements, kernel, variance, self.spectrum, FACTORS
        if self.scaled:
            estimates, error = estimates_and_error(
                *arguments, boundary=self.boundary, **self._sampling
            )
            estimates = _in_units_of(self._with_border(error, kernel, measurements), estimates)
        elif self._is_periodic:
            estimates = solve_at(*arguments, **self._sampling)
        else:
            estimates = solve_without_border(*arguments)
        if self.noise_map:
            estimates.append(_noise_map(measurements, variance))
        return estimates

    def _with_border(self, error, kernel, measurements):
        """What is expected of the first estimate, [1 or batch, 1 or height, 1 or width, 1].

        Where the frame is all that is known, a pixel whose light falls beyond it is known less.
        """
        error = tf.reshape(error, [-1, 1, 1, 1])
        if self._is_periodic:
            return error
        beyond = unseen(kernel, tf.shape(measurements)[1:3])
        return tf.sqrt(tf.square(error) + tf.square(UNSEEN_ERROR * beyond))

    def get_config(self):
        return super().get_config() | {"scaled": self.scaled, "noise_map": self.noise_map}


def _in_units_of(error, estimates):
    """The first estimate, the error's map, and the other estimates' differences by the error.

    The differences lie around 0.5, as images do.
    """
    first, *others = estimates
    reach = tf.zeros_like(first[..., :1]) + REACH * error
    half = 0.5 / error
    return [first, reach, *(0.5 + half * (other - first) for other in others)]


def _noise_map(measurements, variance):
    """The noise level as an image: 0 for rounding alone, about 1 for a noise of 0.03."""
    level = tf.math.log(variance / ROUNDING_VARIANCE) / 6.0
    return tf.zeros_like(measurements[..., :1]) + tf.reshape(level, [-1, 1, 1, 1])
