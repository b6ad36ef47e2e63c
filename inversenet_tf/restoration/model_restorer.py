"""A restorer that runs a trained model in this process, such as one from a work directory."""

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import spec_of
from inversenet_tf.restoration.restorers import Restorer

if TYPE_CHECKING:
    from inversenet_tf.models.inversenet import InverseNet  # whoever has a model has imported it

# Pixels of the largest image that is restored faster than a graph is compiled.
SMALL = 2**16


class ModelRestorer(Restorer):
    """A trained `InverseNet`, with its present weights, compiled once for all image sizes.

    The first image, if it is small, is restored without compilation, which would take several times
    as long as the restoration. The results differ by rounding alone.

    Args:
        model: the `InverseNet`.
        degradation: the one it was trained for, if that is known.
        bytes_per_pixel: as for `spec_of`.
    """

    def __init__(
        self,
        model: "InverseNet",
        degradation: Degradation | None = None,
        bytes_per_pixel: float | None = None,
    ):
        self.degradation = degradation
        self._plainly = model.frozen_restore()
        channels = model.measured_channels
        signature = [tf.TensorSpec((None, None, None, channels), tf.float32, "measurements")]
        # Keras needs no autograph, which would take as long as tracing the graph.
        compiled = functools.partial(tf.function, self._plainly, autograph=False)
        self._restore = compiled(input_signature=signature)
        # One for each rank of the kernels: what is traced for both would know neither.
        self._restore_told = {rank: compiled(reduce_retracing=True) for rank in (3, 4)}
        self._model = model
        self._bytes_per_pixel = bytes_per_pixel
        self._has_restored = False

    @property
    def measured_channels(self):
        """That of the model, known without tracing it once more to determine the whole `spec`."""
        return self._model.measured_channels

    @property
    def kernel_use(self):
        return self._model.kernel_use

    @property
    def scale(self):
        return self._model.scale

    @functools.cached_property
    def spec(self):
        """The `ImageSpec`, determined on first use."""
        return spec_of(self._model, self._bytes_per_pixel)

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        size, expected = tuple(np.shape(measurements)[1:3]), self._model.fixed_size
        if expected not in (None, size):
            raise ValueError(
                "Expected measurements of {}x{} pixels, the only ones that this network takes. "
                "Received: {}x{}".format(*expected, *size)
            )
        if kernels is None:
            if self.kernel_use == kernel_use.REQUIRED:
                raise ValueError(kernel_use.IS_MISSING)
            inputs, restore = tf.convert_to_tensor(measurements, tf.float32), self._restore
        else:
            inputs = as_told(measurements, kernels, noise_sigmas)
            restore = self._restore_told[np.ndim(kernels)]
        if not self._has_restored and math.prod(size) * self.scale**2 <= SMALL:
            restore = self._plainly
        self._has_restored = True
        restored = restore(inputs)
        outputs = {name: images.numpy() for name, images in restored.items()}
        return {"inverted": outputs["restored"]} | outputs
