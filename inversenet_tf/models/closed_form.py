"""Eq. 3 in closed form as the beginning of an inverter: measurements -> a few linear estimates."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.solvers import ASSUMED_NOISE, solve_at, solve_without_border
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models import kernel_use

# Multiples of the noise variance that the measurement has, at which an estimate is made, so that
# the network sees what more and less regularisation does. It corrects the first.
FACTORS = (ASSUMED_NOISE, 1.0, 10.0, 30.0)


@keras.saving.register_keras_serializable("inversenet_tf")
class ClosedForm(keras.layers.Layer):
    """The linear estimates of `solvers.solve_at` for several assumed noise levels.

    Nothing in it is trained: it is what the U-Net begins with and corrects.

    Args:
        kernel: [height, width] or [height, width, channels] of the operator; None: it has to be
            told each time.
        noise_sigma: standard deviation of the sensor's noise; that of rounding to 8 bits is added.
        spectrum: a `Spectrum` of the images, or its fields as a dict.
        scale, phase, to_gray: as for `solve`.
        boundary: "circular", or "reflect", where nothing is taken for known beyond the frame.

    Input: [batch, height, width, channels] in [0, 1], and, where it is another than its own, the
    kernel of each, [batch, height, width(, channels)], and its noise, [batch]. Output: a list of
    images of that range, not clipped, [batch, height * scale, width * scale, image channels]; the
    one for the first of `FACTORS` is the one to correct. Without a kernel of its own there follows
    a map of the noise level, [batch, height, width, 1].
    """

    def __init__(
        self,
        kernel=None,
        noise_sigma=0.0,
        spectrum=None,
        scale=1,
        phase=0,
        to_gray=False,
        boundary="circular",
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.kernel = None if kernel is None else np.asarray(kernel, np.float32)
        self.noise_sigma = noise_sigma
        spectrum = Spectrum(**spectrum) if isinstance(spectrum, dict) else spectrum
        self.spectrum = spectrum or Spectrum()
        self.scale, self.phase, self.to_gray = scale, phase, to_gray
        self.boundary = boundary

    def call(self, measurements, kernels=None, noise_sigmas=None):
        if kernels is None and self.kernel is None:
            raise ValueError(kernel_use.IS_MISSING)
        sigmas = tf.cast(self.noise_sigma if noise_sigmas is None else noise_sigmas, tf.float32)
        variance = ROUNDING_VARIANCE + sigmas**2
        kernel = tf.constant(self.kernel) if kernels is None else kernels
        if kernels is not None and len(kernels.shape) == 3:
            kernel = kernels[..., tf.newaxis]
        if self.boundary == "circular" or self.scale > 1:
            settings = {"scale": self.scale, "phase": self.phase, "to_gray": self.to_gray}
            estimates = solve_at(measurements, kernel, variance, self.spectrum, FACTORS, **settings)
        else:
            estimates = solve_without_border(measurements, kernel, variance, self.spectrum, FACTORS)
        if self.kernel is None:
            estimates.append(_noise_map(measurements, variance))
        return estimates

    def get_config(self):
        return super().get_config() | {
            "kernel": None if self.kernel is None else self.kernel.tolist(),
            "noise_sigma": self.noise_sigma,
            "spectrum": dataclasses.asdict(self.spectrum),
            "scale": self.scale,
            "phase": self.phase,
            "to_gray": self.to_gray,
            "boundary": self.boundary,
        }


def _noise_map(measurements, variance):
    """The noise level as an image: 0 for rounding alone, about 1 for a noise of 0.03."""
    level = tf.math.log(variance / ROUNDING_VARIANCE) / 6.0
    return tf.zeros_like(measurements[..., :1]) + tf.reshape(level, [-1, 1, 1, 1])
