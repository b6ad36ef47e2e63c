"""Eq. 3 in closed form as the beginning of an inverter: measurements -> a few linear estimates."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.solvers import (
    ASSUMED_NOISE,
    ROUNDING_VARIANCE,
    solve,
    solve_without_border,
)
from inversenet_tf.imaging.physics.spectra import Spectrum

# Multiples of the noise variance that the measurement has, at which an estimate is made, so that
# the network sees what more and less regularisation does. It corrects the first.
FACTORS = (ASSUMED_NOISE, 1.0, 10.0, 30.0)


@keras.saving.register_keras_serializable("inversenet_tf")
class ClosedForm(keras.layers.Layer):
    """The linear estimates of `solvers.solve` for one operator, at several assumed noise levels.

    Nothing in it is trained: it is what the U-Net begins with and corrects.

    Args:
        kernel: [height, width] or [height, width, channels] of the operator.
        noise_sigma: standard deviation of the sensor's noise; that of rounding to 8 bits is added.
        spectrum: a `Spectrum` of the images, or its fields as a dict.
        scale, phase, to_gray: as for `solve`.
        boundary: "circular", or "reflect", where nothing is taken for known beyond the frame.

    Input: [batch, height, width, channels] in [0, 1]. Output: a list of images of that range, not
    clipped, [batch, height * scale, width * scale, image channels]; the one for the first of
    `FACTORS` is the one to correct.
    """

    def __init__(
        self,
        kernel,
        noise_sigma=0.0,
        spectrum=None,
        scale=1,
        phase=0,
        to_gray=False,
        boundary="circular",
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.kernel = np.asarray(kernel, np.float32)
        self.noise_sigma = noise_sigma
        spectrum = Spectrum(**spectrum) if isinstance(spectrum, dict) else spectrum
        self.spectrum = spectrum or Spectrum()
        self.scale, self.phase, self.to_gray = scale, phase, to_gray
        self.boundary = boundary

    def call(self, measurements):
        variance = ROUNDING_VARIANCE + self.noise_sigma**2
        kernel = tf.constant(self.kernel)
        if self.boundary == "circular" or self.scale > 1:
            settings = {"scale": self.scale, "phase": self.phase, "to_gray": self.to_gray}
            estimates = [
                solve(measurements, kernel, factor * variance, self.spectrum, **settings)
                for factor in FACTORS
            ]
        else:
            estimates = solve_without_border(measurements, kernel, variance, self.spectrum, FACTORS)
        return estimates

    def get_config(self):
        return super().get_config() | {
            "kernel": self.kernel.tolist(),
            "noise_sigma": self.noise_sigma,
            "spectrum": dataclasses.asdict(self.spectrum),
            "scale": self.scale,
            "phase": self.phase,
            "to_gray": self.to_gray,
            "boundary": self.boundary,
        }
