"""Restorers that wrap another one: they change its images, or give it the kernel."""

import dataclasses

import numpy as np

from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.restorers import Restorer


class RestorerAround(Restorer):
    """Base of restorers that wrap another one."""

    def __init__(self, restorer: Restorer):
        self._restorer = restorer

    @property
    def spec(self) -> ImageSpec:
        """That of the wrapped restorer."""
        return self._restorer.spec

    @property
    def kernel_use(self) -> str:
        return self._restorer.kernel_use

    @property
    def measured_channels(self) -> int:
        return self._restorer.measured_channels

    @property
    def kernel_side(self) -> int:
        return self._restorer.kernel_side

    def close(self) -> None:
        self._restorer.close()

    def _warned(self):
        return self._restorer._warned()

    def _set_warned(self):
        self._restorer._set_warned()


class InformedRestorer(RestorerAround):
    """A restorer that does not get the kernels of its measurements from its caller."""

    kernel_use = kernel_use.NONE

    @property
    def spec(self) -> ImageSpec:
        """That of the wrapped restorer, but without a kernel."""
        return dataclasses.replace(super().spec, kernel=kernel_use.NONE)


class ToldRestorer(InformedRestorer):
    """A restorer with one known kernel and noise level for all its measurements."""

    def __init__(self, restorer, kernel, noise):
        super().__init__(restorer)
        self._kernel = kernel
        self._noise = noise

    @property
    def degradation(self) -> Degradation:
        """That of the wrapped restorer, with the known kernel and noise level."""
        known = self._restorer.degradation or Degradation(None, self._restorer.scale)
        return known.told(self._kernel, self._noise)

    @property
    def kernel_side(self) -> int:
        return max(self._kernel.shape[:2])

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        """Same as for every `Restorer`, with the known kernel for each measurement.

        Raises:
            ValueError: another kernel is given, or the known one is larger than the image.
        """
        if kernels is not None or noise_sigmas is not None:
            raise ValueError("Expected no kernel or noise where they are known. Received: one")
        count, size = len(measurements), tuple(np.shape(measurements)[1:3])
        sides = zip(self._kernel.shape, size, strict=False)
        if any(kernel > side * self._restorer.scale for kernel, side in sides):
            raise ValueError(
                "Expected a kernel no larger than the image. Received: kernel "
                f"{self._kernel.shape[:2]}, image {size}"
            )
        kernels = np.broadcast_to(self._kernel, (count, *self._kernel.shape))
        return self._restorer.estimates(
            measurements, kernels, np.full(count, self._noise, np.float32)
        )
