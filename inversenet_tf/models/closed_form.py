"""Eq. 3 in closed form, as the first layer of an inverter: measurements -> linear estimates."""

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

# Multiples of the measurement's noise variance, with an estimate for each, so that the network sees
# the effect of more and less regularisation. It corrects the first estimate.
FACTORS = (ASSUMED_NOISE, 1.0, 10.0, 30.0)
# The largest correction, in units of the expected error. At edges, errors are several times that.
REACH = 8.0
# The expected error of a pixel whose light falls beyond the frame, with white as 1.
UNSEEN_ERROR = 0.1


@keras.saving.register_keras_serializable("inversenet_tf")
class ClosedForm(SolverLayer):
    """The linear estimates of `solvers.solve_at` for several assumed noise levels.

    Nothing in it is trained: the inverter takes its estimates and corrects the first.

    Args:
        kernel, **known: as for `SolverLayer`.
        scaled: whether the output after the first estimate is in units of the error expected of
            that estimate, see `_with_border`, so that one network serves strong and weak noise.
        noise_map: whether a map of the noise level follows the estimates, for a network that is
            trained for several levels; None: only if there is no kernel.

    Input: [batch, height, width, channels] in [0, 1] and, where they differ from the layer's own,
    the kernel of each image, [batch, height, width(, channels)], and its noise, [batch]. Output: a
    list of unclipped images of that range, [batch, height * scale, width * scale, image channels],
    one for each of `FACTORS`, the first of them to be corrected. If scaled, the first is followed
    by a map of `REACH` times the expected error, [batch, height * scale, width * scale, 1], and
    each other estimate becomes 0.5 + (its difference from the first) / (2 * expected error). The
    noise map, [batch, height, width, 1], comes last.
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
        """The expected error of the first estimate, [1 or batch, 1 or height, 1 or width, 1].

        Without a periodic boundary, it is larger for a pixel whose light falls beyond the frame.
        """
        error = tf.reshape(error, [-1, 1, 1, 1])
        if self._is_periodic:
            return error
        beyond = unseen(kernel, tf.shape(measurements)[1:3])
        return tf.sqrt(tf.square(error) + tf.square(UNSEEN_ERROR * beyond))

    def get_config(self):
        return super().get_config() | {"scaled": self.scaled, "noise_map": self.noise_map}


def _in_units_of(error, estimates):
    """The first estimate, the map of the error, and the others' differences in units of it.

    The differences are centred on 0.5, like images.
    """
    first, *others = estimates
    reach = tf.zeros_like(first[..., :1]) + REACH * error
    half = 0.5 / error
    return [first, reach, *(0.5 + half * (other - first) for other in others)]


def _noise_map(measurements, variance):
    """The noise level as an image: 0 for rounding alone, about 1 for a noise of 0.03."""
    level = tf.math.log(variance / ROUNDING_VARIANCE) / 6.0
    return tf.zeros_like(measurements[..., :1]) + tf.reshape(level, [-1, 1, 1, 1])
