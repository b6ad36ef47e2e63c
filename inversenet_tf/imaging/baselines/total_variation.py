"""TV-l1 deconvolution, which is robust to outliers and to a slightly wrong kernel.

It is the last step of Xu and Jia, "Two-phase kernel estimation for robust motion deblurring",
ECCV 2010.
"""

import numpy as np

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.baselines.fourier import SIDES, images_of, spectrum_of, transfer_of
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

# The first and last shrinkage threshold, in units of [0, 1]; see `tv_l1`.
THRESHOLDS = (0.1, 0.001)
# On 12 training images of CelebA and 12 of Tiny ImageNet, 64 x 64, with a motion blur of 9 pixels,
# 3 to 4 were best at noise of 0, 0.01 and 0.03 alike, and 2 or 6 lost 0.2 to 0.7 dB.
WEIGHT_PER_NOISE = 3.5


def default_weight(noise_sigma=0.0):
    """The weight of `tv_l1` for sensor noise of a standard deviation and rounding to 8 bits."""
    return WEIGHT_PER_NOISE * float(np.sqrt(ROUNDING_VARIANCE + noise_sigma**2))


def tv_l1(measurements, kernel, weight=None, iterations=50):
    """argmin_x ||k * x - y||_1 + weight TV(x) for a known kernel and a circular boundary.

    TV is isotropic and computed per channel. Half-quadratic splitting replaces k * x - y by v and
    the gradients of x by w, and minimises

        ||v||_1 + ||k * x - y - v||^2 / (2 t) + weight (||w|| + ||grad x - w||^2 / (2 t))

    alternately: over v and w by shrinkage with the threshold t, over x in the Fourier domain. From
    one iteration to the next t falls geometrically. (The paper has a separate t for v and for w,
    falling in nested loops; a common t needs fewer iterations.)

    Args:
        measurements: [batch, height, width, channels] in [0, 1].
        kernel: [height, width] or [height, width, channels] point spread function of sum 1, no
            larger than the images; its centre is at (height // 2, width // 2).
        weight: of the total variation; None: `default_weight()`, for rounding to 8 bits alone.
        iterations: number of alternations.

    Returns:
        float32 images of the same shape, clipped to [0, 1].

    Raises:
        ValueError: a weight that is not positive, fewer than one iteration, or a kernel larger than
            the images.
    """
    measurements = np.asarray(as_batch(measurements, "measurements"))
    weight = np.float32(default_weight() if weight is None else weight)
    if not weight > 0 or iterations < 1:
        raise ValueError(
            f"Expected weight > 0 and iterations >= 1. Received: {weight} and {iterations}"
        )
    sides = measurements.shape[1:3]
    blur = transfer_of(kernel, sides)
    power = np.abs(blur) ** 2 + weight * _gradient_power(sides)
    images, residuals = (
        measurements,
        images_of(blur * spectrum_of(measurements), sides) - measurements,
    )
    for threshold in np.geomspace(*THRESHOLDS, iterations, dtype=np.float32):
        errors = np.sign(residuals) * np.maximum(np.abs(residuals) - threshold, 0.0)  # v
        edges = _shrunk(_gradient(images), threshold)  # w
        fitted = np.conj(blur) * spectrum_of(measurements + errors)
        spectrum = (fitted + weight * spectrum_of(_gradient_adjoint(edges))) / power
        images = images_of(spectrum, sides)
        residuals = images_of(blur * spectrum, sides) - measurements
    return np.clip(images, 0.0, 1.0)


def _gradient_power(sides):
    """Squared modulus of the spectrum of `_gradient`: [height, width // 2 + 1, 1]."""
    rows = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(sides[0]))
    columns = 2 - 2 * np.cos(2 * np.pi * np.fft.rfftfreq(sides[1]))
    return (rows[:, None, None] + columns[:, None]).astype(np.float32)


def _gradient(images):
    """Differences to the next row and to the next column: [2, batch, height, width, channels]."""
    return np.stack([np.roll(images, -1, axis) - images for axis in SIDES])


def _gradient_adjoint(gradients):
    return sum(np.roll(part, 1, axis) - part for part, axis in zip(gradients, SIDES, strict=True))


def _shrunk(gradients, threshold):
    """Shortens each gradient vector by `threshold`, but not below zero."""
    length = np.sqrt(np.sum(gradients**2, axis=0))
    return gradients * (np.maximum(length - threshold, 0.0) / np.maximum(length, 1e-12))
