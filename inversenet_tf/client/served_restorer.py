"""A served model as a function of arrays, like any other restorer."""

import io

import numpy as np

from inversenet_tf.imaging.files.images import from_integers, to_uint8
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.restorers import Restorer

COLOURS = 3


class ServedRestorer(Restorer):
    """Sends arrays to a server as PNG files, so that both directions have 8 bits.

    Args:
        client: a `RestoringClient`; it is the caller's to close.
    """

    measured_channels = COLOURS
    kernel_use = kernel_use.NONE  # the files that it sends hold no kernel

    def __init__(self, client):
        self._client = client

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        """The restored images alone, which is what a server's files hold."""
        return {"restored": np.stack([self._restore(image) for image in measurements])}

    def _restore(self, image):
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(to_uint8(image)).save(file, "PNG")
        with Image.open(io.BytesIO(self._client.restore_bytes(file.getvalue()))) as restored:
            return from_integers(np.asarray(restored.convert("RGB")))
