"""One more half-step of Eqs. 3 and 4: the first estimate z, moved to what the measurement says."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.imaging.physics.solvers import solve, solve_without_border
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.imaging.physics.varied import blur_each
from inversenet_tf.models import kernel_use


@keras.saving.register_keras_serializable("inversenet_tf")
class HalfStep(keras.layers.Layer):
    """z + S' A^T (A S' A^T + sigma^2)^-1 (y - A z), in closed form as `solvers.solve`.

    A denoiser knows nothing of the operator A. Here it learns what of y the inverter's estimate z
    does not explain, where in z that has to be, and how certain it is. Nothing in it is trained.

    Args:
        kernel, noise_sigma, scale, phase, to_gray, boundary: as for `ClosedForm`.
        spectrum: a `Spectrum` of the images, or its fields as a dict. S' is `fraction` of it.
        fraction: of the images' power that is expected in z's error: 1 suits a z of which little
            is right, less one that is near the truth, which then changes less.

    Input: z [batch, height * scale, width * scale, image channels] and y [batch, height, width,
    channels], both in [0, 1], and, where it is another than its own, the kernel of each, [batch,
    kernel height, kernel width], and its noise, [batch]. Output: images of the shape and range of
    z, not clipped.
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
        fraction=1.0,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.kernel = None if kernel is None else np.asarray(kernel, np.float32)
        self.noise_sigma = noise_sigma
        spectrum = Spectrum(**spectrum) if isinstance(spectrum, dict) else spectrum
        self.spectrum = spectrum or Spectrum()
        self.scale, self.phase, self.to_gray = scale, phase, to_gray
        self.boundary = boundary
        self.fraction = fraction

    def call(self, inverted, measurements, kernels=None, noise_sigmas=None):
        if kernels is None and self.kernel is None:
            raise ValueError(kernel_use.IS_MISSING)
        sigmas = tf.cast(self.noise_sigma if noise_sigmas is None else noise_sigmas, tf.float32)
        variance = ROUNDING_VARIANCE + sigmas**2
        residual = measurements - self._measured(inverted, kernels)
        kernel = self.kernel if kernels is None else kernels[..., tf.newaxis]
        spectrum = self._error_spectrum(inverted.shape[-1])
        if self.boundary == "circular" or self.scale > 1:
            settings = {"scale": self.scale, "phase": self.phase, "to_gray": self.to_gray}
            return inverted + solve(residual, kernel, variance, spectrum, **settings)
        return inverted + solve_without_border(residual, kernel, variance, spectrum)[0]

    def _error_spectrum(self, channels):
        """S', around zero."""
        spectrum = self.spectrum.for_channels(channels)
        amplitude = self.fraction * spectrum.amplitude
        return dataclasses.replace(spectrum, amplitude=amplitude, mean=(0.0,) * channels)

    def _measured(self, images, kernels):
        """A z."""
        if kernels is None:
            blurred = Blur(self.kernel, self.boundary)(images)
        else:
            blurred = blur_each(images, kernels, self.boundary)
        measured = blurred[:, self.phase :: self.scale, self.phase :: self.scale]
        return tf.reduce_mean(measured, axis=-1, keepdims=True) if self.to_gray else measured

    def get_config(self):
        return super().get_config() | {
            "kernel": None if self.kernel is None else self.kernel.tolist(),
            "noise_sigma": self.noise_sigma,
            "spectrum": dataclasses.asdict(self.spectrum),
            "scale": self.scale,
            "phase": self.phase,
            "to_gray": self.to_gray,
            "boundary": self.boundary,
            "fraction": self.fraction,
        }
