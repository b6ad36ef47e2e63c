"""Files that an export was converted to, in use: what those of every runtime have in common."""

import abc
import functools

import numpy as np

from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.restoration.image_spec import ImageSpec, degradation_from, spec_from
from inversenet_tf.restoration.restorers import Restorer


class ConvertedFileRestorer(Restorer):
    """A file of `inversenet convert`: its metadata tell what it restores, and it takes no kernel.

    A subclass opens the file, reads its metadata and runs its network.
    """

    _KIND: str  # what messages call such a file

    @functools.cached_property
    def spec(self) -> ImageSpec:
        """The `ImageSpec` of the export that the file was made of."""
        return spec_from(self._read_metadata())

    @functools.cached_property
    def degradation(self) -> Degradation | None:
        """What the export was trained to undo, where that is known."""
        return degradation_from(self._read_metadata())

    def estimates(
        self,
        measurements: np.ndarray,
        kernels: np.ndarray | None = None,
        noise_sigmas: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """As every restorer's, but without kernels, which no such file takes."""
        if kernels is not None:
            raise ValueError(f"Expected no kernel with {self._KIND}. Received: one")
        return self._run(np.asarray(measurements, np.float32))

    @abc.abstractmethod
    def _read_metadata(self) -> dict:
        """What the conversion told of the file, see `conversion.metadata_of_converted`.

        Raises:
            ValueError: the file was not written by `inversenet convert`.
        """

    @abc.abstractmethod
    def _run(self, measurements: np.ndarray) -> dict[str, np.ndarray]:
        """Both estimates of float32 measurements, as `estimates` gives them."""
