"""Restoring in linear light: a camera blurs light, and then stores its power of 1 / gamma."""

import numpy as np

from inversenet_tf.imaging.arrays import as_floats
from inversenet_tf.imaging.checks import check_positive
from inversenet_tf.imaging.physics.degradation import Fit
from inversenet_tf.imaging.physics.light import from_light, to_light
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.restorers_around import RestorerAround


class LinearLightRestorer(RestorerAround):
    """A restorer that converts measurements to linear light, and restored images back.

    Args:
        restorer: one of measurements in linear light. The noise level given to it is that of the
            light.
        gamma: of the files' encoding: light is their values to that power.

    Raises:
        ValueError: a gamma that is not positive.
    """

    def __init__(self, restorer: Restorer, gamma: float):
        check_positive("gamma", gamma)
        super().__init__(restorer)
        self._gamma = gamma

    def told(self, kernel: np.ndarray, noise: float | None = None) -> Restorer:
        """Same as for every `Restorer`; the kernel is that of the light, and so is the noise."""
        return LinearLightRestorer(self._restorer.told(kernel, noise), self._gamma)

    def fit(self, measured: np.ndarray, restored: np.ndarray) -> Fit | None:
        """Same as for every `Restorer`; the light is compared, as it is what was degraded."""
        measured, restored = (as_floats(np.asarray(values)) for values in (measured, restored))
        return self._restorer.fit(to_light(measured, self._gamma), to_light(restored, self._gamma))

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        light = to_light(measurements, self._gamma)
        outputs = self._restorer.estimates(light, kernels, noise_sigmas)
        return {name: from_light(images, self._gamma) for name, images in outputs.items()}
