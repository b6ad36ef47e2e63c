"""Base of the layers that solve for images in closed form: holds the operator they solve with."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models import kernel_use


class SolverLayer(keras.layers.Layer):
    """A layer that holds the operator, the noise and the spectrum of images, all untrained.

    Args:
        kernel: [height, width] or [height, width, channels] of the operator; None if every call
            passes one.
        noise_sigma: standard deviation of the sensor's noise; that of rounding to 8 bits is added.
        spectrum: a `Spectrum` of the images, or its fields as a dict; None for that of natural
            images.
        scale, phase, to_gray: as for `solvers.solve`.
        boundary: "circular", or "reflect" to assume nothing beyond the frame; with a `scale` above
            1, images are taken as periodic all the same.
    """

    def __init__(
        self,
        kernel=None,
        *,
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

    @property
    def _sampling(self):
        """The keyword arguments of `solvers.solve` for the sampling of the blurred image."""
        return {"scale": self.scale, "phase": self.phase, "to_gray": self.to_gray}

    @property
    def _is_periodic(self):
        """Whether images are solved for as periodic ones, as they always are in upsampling."""
        return self.boundary == "circular" or self.scale > 1

    def _kernels_and_variance(self, kernels, noise_sigmas):
        """The kernels and the noise variance to solve with: those given, or the layer's own.

        Args:
            kernels: [batch, height, width(, channels)], or None.
            noise_sigmas: [batch], or None.

        Raises:
            ValueError: no kernels are given, and the layer has none.
        """
        if kernels is None and self.kernel is None:
            raise ValueError(kernel_use.IS_MISSING)
        sigmas = tf.cast(self.noise_sigma if noise_sigmas is None else noise_sigmas, tf.float32)
        variance = ROUNDING_VARIANCE + sigmas**2
        if kernels is None:
            return tf.constant(self.kernel), variance
        return kernels[..., tf.newaxis] if len(kernels.shape) == 3 else kernels, variance

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
