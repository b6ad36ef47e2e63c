"""A restorer that needs no training: solves Eq. 3 for a blur with known kernel."""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.solvers import ASSUMED_NOISE, solve, solve_without_border
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.restorers import Restorer

NAME = "closed_form"  # under which `load` knows it
# Measured growth of a process: 168 to 233 bytes for 0.26, 1 and 4 megapixels and a kernel of 27
# pixels.
BYTES_PER_PIXEL = 240.0


class ClosedFormRestorer(Restorer):
    """The linear estimate of least mean square error under the spectrum of natural images.

    It works without training on any photograph whose kernel is known, or estimated by
    `estimate_kernel`. A trained network for any blur starts from the same estimate and improves it.

    Args:
        spectrum: of the images; None for that of natural images.
        boundary: "reflect", if nothing is known beyond the frame; or "circular".
    """

    def __init__(self, spectrum: Spectrum | None = None, boundary: str = "reflect"):
        self._spectrum = spectrum or Spectrum()
        self.spec = ImageSpec(
            measured_channels=3,
            image_channels=3,
            scale=1,
            multiple=1,
            boundary=boundary,
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
        sigmas = np.zeros(len(measurements)) if noise_sigmas is None else np.asarray(noise_sigmas)
        variances = ASSUMED_NOISE * (ROUNDING_VARIANCE + sigmas.astype(np.float32) ** 2)
        kernels = tf.convert_to_tensor(kernels, tf.float32)
        if len(kernels.shape) == 3:
            kernels = kernels[..., tf.newaxis]
        measurements = tf.convert_to_tensor(measurements, tf.float32)
        if self.spec.boundary == "circular":
            estimate = solve(measurements, kernels, variances, self._spectrum)
        else:
            [estimate] = solve_without_border(measurements, kernels, variances, self._spectrum)
        images = np.clip(estimate.numpy(), 0.0, 1.0)
        return {"inverted": images, "restored": images}
