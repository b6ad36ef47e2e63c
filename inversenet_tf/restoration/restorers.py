"""A trained model in use, from Python: out of a work directory, or out of an export."""

import abc
import dataclasses
import functools
from pathlib import Path

import numpy as np
import tensorflow as tf

from inversenet_tf.restoration.arrays import to_batch
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


class Restorer(abc.ABC):
    """A trained model in use, as a function of arrays, wherever it comes from.

    Example:
        ```python
        restorer = inversenet_tf.load("runs/mine")
        restored = restorer(inversenet_tf.read_image("blurred.jpg"))
        ```

    Attributes:
        spec: the `ImageSpec`.
    """

    spec: ImageSpec

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Restores one image or a batch.

        Args:
            images: as `arrays.to_batch` takes them: one image or a batch, in [0, 1] or as integers
                of 8 or 16 bits.

        Returns:
            float32 in [0, 1] of the same rank, `spec.scale` times as high and wide; gray where the
            images were gray and the model does not colour.

        Raises:
            ValueError: images of another rank, size, type or range.
        """
        batch, undo = to_batch(images, self.spec.measured_channels)
        return undo(self.estimates(batch)["restored"])

    @abc.abstractmethod
    def estimates(self, measurements: np.ndarray) -> dict[str, np.ndarray]:
        """Both estimates of a batch of measurements.

        Args:
            measurements: float32 [batch, height, width, channels] in [0, 1].

        Returns:
            `inverted` (z, the inverter's) and `restored` (the denoiser's; without a denoiser the
            same as `inverted`), NumPy arrays in [0, 1].
        """


class ModelRestorer(Restorer):
    """A trained `InverseNet` as one compiled function for every size of image."""

    def __init__(self, model):
        channels = model.measured_channels
        signature = [tf.TensorSpec((None, None, None, channels), tf.float32, "measurements")]
        self._restore = tf.function(model.restore, input_signature=signature)
        self._model = model

    @functools.cached_property
    def spec(self):
        """The `ImageSpec`, worked out when it is first asked for."""
        return spec_of(self._model)

    def __call__(self, images):
        # The model knows its channels; to work out the whole `spec` would trace it once more.
        batch, undo = to_batch(images, self._model.measured_channels)
        return undo(self.estimates(batch)["restored"])

    def estimates(self, measurements):
        outputs = {name: images.numpy() for name, images in self._restore(measurements).items()}
        return {"inverted": outputs["restored"]} | outputs


class ExportedRestorer(Restorer):
    """A SavedModel that `export` wrote; needs nothing of the training.

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

    def estimates(self, measurements):
        outputs = self._restore(measurements=tf.convert_to_tensor(measurements, tf.float32))
        return {name: images.numpy() for name, images in outputs.items()}
