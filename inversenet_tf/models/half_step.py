"""One more half-step of Eqs. 3 and 4, which brings z into agreement with the measurement."""

import dataclasses

import keras
import tensorflow as tf

from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.imaging.physics.solvers import solve, solve_without_border
from inversenet_tf.imaging.physics.varied import blur_each
from inversenet_tf.models.solver_layer import SolverLayer


@keras.saving.register_keras_serializable("inversenet_tf")
class HalfStep(SolverLayer):
    """z + S' A^T (A S' A^T + sigma^2)^-1 (y - A z), in closed form like `solvers.solve`.

    A denoiser does not know the operator A. This layer shows it which part of y the inverter's
    estimate z does not explain, where in z that belongs, and how certain it is. Nothing in it is
    trained.

    Args:
        kernel, **known: as for `SolverLayer`.
        fraction: the power expected in z's error as a fraction of the images', so that S' is that
            fraction of their spectrum: 1 for a z that is mostly wrong, less for one near the
            truth, which is then changed less.

    Input: z [batch, height * scale, width * scale, image channels] and y [batch, height, width,
    channels], both in [0, 1], and, where they differ from the layer's own, the kernel of each
    image, [batch, kernel height, kernel width(, channels)], and its noise, [batch]. Output: images
    of the shape and range of z, not clipped.
    """

    def __init__(self, kernel=None, *, fraction=1.0, **known):
        super().__init__(kernel, **known)
        self.fraction = fraction

    def call(self, inverted, measurements, kernels=None, noise_sigmas=None):
        kernel, variance = self._kernels_and_variance(kernels, noise_sigmas)
        residual = measurements - self._measured(inverted, kernels)
        spectrum = self._error_spectrum(inverted.shape[-1])
        if self._is_periodic:
            return inverted + solve(residual, kernel, variance, spectrum, **self._sampling)
        return inverted + solve_without_border(residual, kernel, variance, spectrum)[0]

    def _error_spectrum(self, channels):
        """S', with zero mean."""
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
        return super().get_config() | {"fraction": self.fraction}
