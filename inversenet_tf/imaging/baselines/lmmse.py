"""The linear minimum mean square error estimate, given the kernel, noise and spectrum."""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.physics.borders import extended_periodically
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.solvers import ASSUMED_NOISE, solve, solve_without_border
from inversenet_tf.imaging.physics.spectra import Spectrum

TRIED = (0.3, 1.0, 3.0, 10.0, 30.0)  # noise factors to choose from
EXTENSION = 64  # image pixels by which a smaller measurement is extended to become periodic


def lmmse(
    measurements: np.ndarray,
    kernel: np.ndarray,
    noise_sigma: float = 0.0,
    spectrum: Spectrum | None = None,
    noise_factor: float = ASSUMED_NOISE,
    *,
    boundary: str = "circular",
    scale: int = 1,
    phase: int = 0,
    to_gray: bool = False,
) -> np.ndarray:
    """The linear restoration with the least mean square error for images of a given spectrum.

    Args:
        measurements: [batch, height, width, channels] in [0, 1].
        kernel: [height, width] or [height, width, channels] point spread function.
        noise_sigma: standard deviation of the sensor's noise, to which that of rounding to 8 bits
            is added.
        spectrum: of the training images; None for that of natural images.
        noise_factor: multiplies the noise variance, as no image follows its spectrum exactly; one
            of `TRIED` may be chosen on training images.
        boundary: "circular", or "reflect" if nothing is known beyond the frame.
        scale, phase, to_gray: as for `solvers.solve`.

    Returns:
        float32 images [batch, height * scale, width * scale, image channels], clipped to [0, 1].
    """
    measurements = as_batch(measurements, "measurements")
    variance = noise_factor * (ROUNDING_VARIANCE + noise_sigma**2)
    spectrum = spectrum or Spectrum()
    if boundary == "circular" or scale > 1 or to_gray:
        settings = {"scale": scale, "phase": phase, "to_gray": to_gray}
        height, width = measurements.shape[1:3]
        if boundary != "circular":  # or the opposite border would ring into the image
            margin = EXTENSION // scale
            measurements = extended_periodically(measurements, (margin, margin))
        estimates = solve(measurements, kernel, variance, spectrum, **settings)
        estimates = estimates[:, : height * scale, : width * scale]
    else:
        [estimates] = solve_without_border(
            tf.convert_to_tensor(measurements), kernel, variance, spectrum
        )
    return np.clip(estimates, 0.0, 1.0)
