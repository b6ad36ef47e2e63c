"""A trained model in use, from Python: out of a work directory, or out of an export."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from inversenet_tf.restoration.footprint import SCRATCH, peak_bytes_per_pixel
from inversenet_tf.serving.saved_models import latest_version, read_metadata

# The signatures of an export, besides "serving_default".
INTERMEDIATE = "restore_with_intermediate"
FROM_BYTES = "restore_bytes"


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """What a model takes and gives.

    Attributes:
        measured_channels: 1 or 3, of a measurement.
        image_channels: 1 or 3, of a restored image.
        scale: how much larger the image is, along each side.
        multiple: what a measurement's sides are padded to a multiple of.
        boundary: how, one of `BOUNDARIES`.
        bytes_per_pixel: memory that restoring takes, for each pixel of the measurement.
    """

    measured_channels: int
    image_channels: int
    scale: int
    multiple: int
    boundary: str
    bytes_per_pixel: float


def spec_of(model):
    """The `ImageSpec` of an `InverseNet`."""
    channels, multiple = model.measured_channels, model.multiple
    needed = SCRATCH * peak_bytes_per_pixel(model.restore, channels, multiple)
    return ImageSpec(channels, model.image_channels, model.scale, multiple, model.boundary, needed)


class Restorer:
    """A trained `InverseNet` as one compiled function for every size of image."""

    def __init__(self, model):
        channels = model.measured_channels
        signature = [tf.TensorSpec((None, None, None, channels), tf.float32, "measurements")]
        self._restore = tf.function(model.restore, input_signature=signature)
        self._model = model
        self._spec = None

    @property
    def spec(self):
        """The `ImageSpec`, worked out when it is first asked for."""
        self._spec = self._spec or spec_of(self._model)
        return self._spec

    def __call__(self, measurements):
        """[batch, height, width, channels] -> {"inverted", "restored"}: NumPy arrays in [0, 1]."""
        return {name: images.numpy() for name, images in self._restore(measurements).items()}


class ExportedRestorer:
    """The same of a SavedModel of `export`; needs nothing of the training.

    Args:
        directory: a SavedModel, or a directory of versions, of which the latest is taken.

    Raises:
        ValueError: there is none, or it restores no images.
    """

    def __init__(self, directory):
        path = latest_version(directory)
        metadata = read_metadata(path)
        if "images" not in metadata:
            raise ValueError(
                f"Expected the export of an InverseNet in {Path(directory)}. Received: one of a "
                f"{metadata.get('model')}."
            )
        self.spec = ImageSpec(**metadata["images"])
        self._loaded = tf.saved_model.load(str(path))
        self._restore = self._loaded.signatures[INTERMEDIATE]

    def __call__(self, measurements):
        """[batch, height, width, channels] -> {"inverted", "restored"}: NumPy arrays in [0, 1]."""
        outputs = self._restore(measurements=tf.convert_to_tensor(measurements, tf.float32))
        return {name: images.numpy() for name, images in outputs.items()}
