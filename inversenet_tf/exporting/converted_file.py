"""What restorers of converted exports have in common, whatever their runtime."""

import abc
import json
import reprlib
from pathlib import Path

import numpy as np

from inversenet_tf.restoration.image_spec import degradation_from, spec_from
from inversenet_tf.restoration.restorers import Restorer

IS_FOREIGN = "Expected a file of `inversenet convert`. Received: {}"


class ConvertedFileRestorer(Restorer):
    """A file of `inversenet convert`, described by its metadata; it takes no kernel.

    A subclass opens the file, reads its metadata and runs its network.

    Args:
        metadata: what the conversion tells of the export that the file was made from.

    Raises:
        ValueError: metadata that no conversion writes.
    """

    _KIND: str  # name of such a file in messages

    def __init__(self, metadata: dict):
        self.spec = spec_from(metadata)
        self.degradation = degradation_from(metadata)

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
    def _run(self, measurements: np.ndarray) -> dict[str, np.ndarray]:
        """Both estimates for float32 measurements, as `estimates` returns them."""


def metadata_from(told: str | bytes, path: str | Path) -> dict:
    """The metadata that a conversion wrote, see `conversion.metadata_of_converted`.

    Args:
        told: the JSON in the file.
        path: of the file, for the error message.

    Raises:
        ValueError: it is no JSON of a dict, so that no conversion wrote it.
    """
    try:
        metadata = json.loads(told)
    except (ValueError, RecursionError) as error:
        raise ValueError(IS_FOREIGN.format(f"{path}: {error}")) from error
    if not isinstance(metadata, dict):
        raise ValueError(f"Expected metadata in {path}. Received: {reprlib.repr(metadata)}")
    return metadata
