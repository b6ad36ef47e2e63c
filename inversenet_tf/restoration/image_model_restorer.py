"""A restorer of images of one class: Eq. 3 solved with what sharp ones of them look like."""

import numpy as np

from inversenet_tf.imaging.physics.class_likelihood import posterior_mean
from inversenet_tf.imaging.physics.image_model import ImageModel, check_is_model
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.restorers import Restorer

# Three copies of the factors of the likelihood: each value of an image has up to 200 components of
# a real and an imaginary part, 4 bytes each.
BYTES_PER_PIXEL = 3 * 4 * 200 * 2 * 3.0


class ImageModelRestorer(Restorer):
    """The linear estimate of least mean square error under the distribution of a class of images.

    Args:
        image_model: of the class. Measurements must be framed as its images, and their blur go
            round the border.

    Raises:
        ValueError: no `ImageModel`.
    """

    def __init__(self, image_model: ImageModel):
        check_is_model(image_model)
        self._image_model = image_model
        channels = image_model.shape[-1]
        self.spec = ImageSpec(
            measured_channels=channels,
            image_channels=channels,
            scale=1,
            multiple=1,
            boundary="circular",
            bytes_per_pixel=BYTES_PER_PIXEL,
            kernel=kernel_use.REQUIRED,
        )

    def estimates(
        self,
        measurements: np.ndarray,
        kernels: np.ndarray | None = None,
        noise_sigmas: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        if kernels is None:
            raise ValueError(kernel_use.IS_MISSING)
        if np.ndim(kernels) != 3:
            raise ValueError(
                "Expected one kernel for all channels, which the image model mixes. Received: "
                f"kernels of shape {np.shape(kernels)[1:]}"
            )
        self._image_model.check_measurements(list(measurements), self.spec.boundary)
        sigmas = np.zeros(len(measurements)) if noise_sigmas is None else np.asarray(noise_sigmas)
        each = zip(measurements, kernels, np.sqrt(ROUNDING_VARIANCE + sigmas**2), strict=True)
        images = [self._restored(*parts) for parts in each]
        images = np.clip(np.stack(images), 0.0, 1.0).astype(np.float32)
        return {"inverted": images, "restored": images}

    def _restored(self, measurement, kernel, noise):
        batch = np.asarray(measurement, np.float32)[np.newaxis]
        return posterior_mean(self._image_model, batch, _square(kernel), noise)[0]


def _square(kernel):
    """A kernel [height, width] with zeros around it: as wide as high, its centre in the middle."""
    side = max(kernel.shape) // 2 * 2 + 1
    before = [side // 2 - extent // 2 for extent in kernel.shape]
    after = [side - extent - first for extent, first in zip(kernel.shape, before, strict=True)]
    return np.pad(kernel, list(zip(before, after, strict=True)))
