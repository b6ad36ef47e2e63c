"""What restorers of converted exports have in common, whatever their runtime."""

import abc
import functools

import numpy as np

from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.restoration.image_spec import ImageSpec, degradation_from, spec_from
from inversenet_tf.restoration.restorers import Restorer


class ConvertedFileRestorer(Restorer):
    """A file of `inversenet convert`, described by its metadata; it takes no kernel.

    A subclass opens the file, reads its metadata and runs its network.
    """

    _KIND: str  # name of such a file in messages

    @functools.cached_property
    def spec(self) -> ImageSpec:
        """The `ImageSpec` of the export that the file was made from."""
        return spec_from(self._read_metadata())

    @functools.cached_property
    def degradation(self) -> Degradation | None:
        """The degradation that the model was trained to undo, if that is known."""
        return degradation_from(self._read_metadata())

    def estimates(
        self,
        measurements: np.ndarray,
        kernels: np.ndarray | None = None,
        noise_sigmas: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Same as for every restorer, but without kernels, which no such file takes."""
        if kernels is not None:
            raise ValueError(f"Expected no kernel with {self._KIND}. Received: one")
        return self._run(np.asarray(measurements, np.float32))

    @abc.abstractmethod
    def _read_metadata(self) -> dict:
        """The metadata that the conversion wrote, see `conversion.metadata_of_converted`.

        Raises:
            ValueError: the file was not written by `inversenet convert`.
        """

    @abc.abstractmethod
    def _run(self, measurements: np.ndarray) -> dict[str, np.ndarray]:
        """Both estimates for float32 measurements, as `estimates` returns them."""
