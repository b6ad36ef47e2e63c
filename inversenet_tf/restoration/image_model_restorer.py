"""A restorer of images of one class: solves Eq. 3 with the distribution of its sharp images."""

import functools

import numpy as np

from inversenet_tf.imaging.physics.class_likelihood import ClassPrior, PosteriorMean
from inversenet_tf.imaging.physics.image_model import ImageModel, check_is_model
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.restorers import Restorer

# Three copies of the likelihood's factors: each value of an image, of which a pixel has up to 3,
# has up to 200 components with a real and an imaginary part of 4 bytes each.
BYTES_PER_PIXEL = 3 * 4 * 200 * 2 * 3.0


class ImageModelRestorer(Restorer):
    """The linear estimate of least mean square error under the distribution of a class of images.

    The factors of the last kernel and noise level are kept: measurements that share them are
    restored about ten times as fast.

    Args:
        image_model: of the class. Measurements must be framed like its images, and their blur must
            have a circular boundary.

    Raises:
        ValueError: no `ImageModel`.
    """

    def __init__(self, image_model: ImageModel):
        check_is_model(image_model)
        self._image_model = image_model
        self._last = None
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
        noises = np.sqrt(ROUNDING_VARIANCE + sigmas**2)
        images = np.empty(np.shape(measurements), np.float32)
        for alike in _alike(kernels, noises):
            restore = self._estimate(_square(kernels[alike[0]]), float(noises[alike[0]]))
            images[alike] = restore(np.asarray(measurements, np.float32)[alike])
        images = np.clip(images, 0.0, 1.0)
        return {"inverted": images, "restored": images}

    @functools.cached_property
    def _prior(self):
        return ClassPrior.of(self._image_model)

    def _estimate(self, kernel, noise):
        """The `PosteriorMean` of a kernel and a noise level, kept from the last call if it fits."""
        known = self._last
        if known is not None and noise == known[1] and np.array_equal(kernel, known[0]):
            return known[2]
        estimate = PosteriorMean(self._image_model, self._prior, kernel, noise)
        self._last = kernel, noise, estimate
        return estimate


def _alike(kernels, noises):
    """Lists of the numbers of those measurements of a batch that share kernel and noise level."""
    alike = {}
    for number, (kernel, noise) in enumerate(zip(kernels, noises, strict=True)):
        alike.setdefault((np.asarray(kernel).tobytes(), float(noise)), []).append(number)
    return list(alike.values())


def _square(kernel):
    """A kernel [height, width] padded with zeros to an odd square around its centre."""
    side = max(kernel.shape) // 2 * 2 + 1
    before = [side // 2 - extent // 2 for extent in kernel.shape]
    after = [side - extent - first for extent, first in zip(kernel.shape, before, strict=True)]
    return np.pad(kernel, list(zip(before, after, strict=True)))
