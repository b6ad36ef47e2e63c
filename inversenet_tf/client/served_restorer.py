"""A served model as a restorer of arrays and photographs, like any other."""

import functools
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.client.errors import ImageRefused, ServingError
from inversenet_tf.client.files import contents_of, sendable
from inversenet_tf.client.restoring import RestoringClient
from inversenet_tf.imaging.files.images import opened
from inversenet_tf.imaging.files.photographs import Photograph
from inversenet_tf.imaging.files.pixels import to_channels
from inversenet_tf.imaging.physics.degradation import Degradation, Fit
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.arrays import as_gray_as
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.signature_names import DESCRIBE, INTERMEDIATE, WITH_KERNEL

PROBE_SIDE = 16  # pixels of a gray image, sent to the server to find out the scale
# Memory that a value takes in this process while it is sent or received as JSON: a Python number
# and its digits.
BYTES_PER_VALUE = 60.0
COLOURS = 3
MALFORMED = (ValueError, TypeError, IndexError, RecursionError)  # raised for a bad description


class ServedRestorer(Restorer):
    """A model on a server. It is sent arrays as they are, and photographs as image files.

    Args:
        client: a `RestoringClient`, closed by `close`.
    """

    def __init__(self, client: RestoringClient):
        self._client = client

    @functools.cached_property
    def _signatures(self):
        return self._client.signatures()

    @property
    def measured_channels(self):
        """The number of channels of a measurement, from the server's metadata."""
        own = self._signatures.get(INTERMEDIATE) or self._signatures.get(WITH_KERNEL) or {}
        return max(own.get("measurements", COLOURS), 1)

    @property
    def kernel_use(self):
        if WITH_KERNEL not in self._signatures:
            return kernel_use.NONE
        return kernel_use.OPTIONAL if INTERMEDIATE in self._signatures else kernel_use.REQUIRED

    @functools.cached_property
    def spec(self):
        """The `ImageSpec` as far as a client can tell, by having a small gray image restored.

        The server itself does the padding, and the memory is that of this process.
        """
        measured = self.measured_channels
        gray = np.full((1, PROBE_SIDE, PROBE_SIDE, measured), 0.5, np.float32)
        is_required = self.kernel_use == kernel_use.REQUIRED
        restored = self.estimates(gray, np.ones((1, 1, 1)) if is_required else None)["restored"]
        scale, channels = restored.shape[1] // PROBE_SIDE, restored.shape[-1]
        return ImageSpec(
            measured_channels=measured,
            image_channels=channels,
            scale=scale,
            multiple=1,
            boundary="reflect",
            bytes_per_pixel=BYTES_PER_VALUE * (measured + 2 * channels * scale**2),
            kernel=self.kernel_use,
        )

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        """Same as for every `Restorer`, by one request."""
        inputs = {"measurements": measurements}
        if kernels is not None:
            inputs["kernels"] = kernels
            inputs["noise_sigmas"] = (
                np.zeros(len(measurements)) if noise_sigmas is None else noise_sigmas
            )
        elif self.kernel_use == kernel_use.REQUIRED:
            raise ValueError(kernel_use.IS_MISSING)
        inputs = {name: np.asarray(values, np.float32) for name, values in inputs.items()}
        signature = INTERMEDIATE if kernels is None else WITH_KERNEL
        return self._client.predict(signature, inputs, ("inverted", "restored"))

    @functools.cached_property
    def degradation(self):
        """As the server describes it; None if it does not, as for older exports."""
        try:
            if DESCRIBE not in self._signatures:
                return None
            answer = self._client.predict(DESCRIBE, {"asked_bytes": [b""]}, ["description_bytes"])
            return Degradation.from_dict(json.loads(answer["description_bytes"][0]))
        except (ServingError, ImageRefused, *MALFORMED) as error:
            logging.debug("The server does not say what its model restores: %s", error)
            return None

    def restore_and_compare(
        self,
        photograph: Photograph,
        path: str | Path | None = None,
        max_memory: int | None = None,
        report: Callable[[float], None] | None = None,
    ) -> tuple[np.ndarray, Fit | None]:
        """Same as for any restorer; the file is sent, unchanged if the server reads it correctly.

        Args:
            photograph: the content of `path`.
            path: of the image file; required.
            max_memory, report: have no effect, since the server restores the whole image.

        Raises:
            ValueError: no path.
        """
        if path is None:
            raise ValueError("Expected the path of the photograph that is sent. Received: None")
        answer = self._client.restore_bytes(sendable(contents_of(path), photograph))
        with opened(io.BytesIO(answer), f"that was answered for {path}") as image:
            restored = np.array(image).reshape(image.height, image.width, -1)
        restored = as_gray_as(photograph.pixels, restored, photograph.pixels.shape[-1])
        known = self.degradation
        if known is None or len(restored) != known.scale * len(photograph.pixels):
            return restored, None
        channels = 1 if known.to_gray else restored.shape[-1]
        return restored, self.fit(to_channels(photograph.pixels, channels), restored)

    def close(self):
        """Closes the client, see `RestoringClient.close`."""
        self._client.close()
