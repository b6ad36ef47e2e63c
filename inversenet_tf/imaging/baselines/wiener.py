"""Wiener-Hunt deconvolution with a known kernel."""

import numpy as np

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.baselines.choosing import best_of
from inversenet_tf.imaging.baselines.fourier import images_of, spectrum_of, transfer_of
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

# Of natural images in [0, 1]: the median over the training photographs of `photos` is 0.017.
LAPLACIAN_VARIANCE = 2e-2
LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)
# Multiples of the default balance that `best_balance` tries, three per decade.
TRIED = np.geomspace(1e-3, 1e3, 19)


def default_balance(noise_sigma=0.0):
    """The weight of the regulariser if there are no images to choose it on.

    It is the ratio of the noise variance, including that of rounding to 8 bits, to the variance of
    a natural image's Laplacian: the optimum for Gaussian signals.
    """
    return (ROUNDING_VARIANCE + noise_sigma**2) / LAPLACIAN_VARIANCE


def best_balance(pairs, kernel, noise_sigma=0.0):
    """Finds the balance that restores given images best, to a third of a decade.

    Args:
        pairs: batches of (measurements, images), [batch, height, width, channels] in [0, 1], of
            training images.
        kernel, noise_sigma: as for `wiener`.
    """

    def restored_at(measurements, balances):
        return _restored_at(as_batch(measurements, "measurements"), kernel, balances)

    return best_of(TRIED * default_balance(noise_sigma), restored_at, pairs)


def wiener(measurements, kernel, noise_sigma=0.0, balance=None):
    """Wiener-Hunt deconvolution with a known kernel and a circular boundary.

    Args:
        measurements: [batch, height, width, channels] in [0, 1].
        kernel: [height, width] or [height, width, channels] point spread function.
        noise_sigma: standard deviation of the sensor's noise.
        balance: weight of the regulariser, the Laplacian; None: `default_balance(noise_sigma)`.

    Returns:
        float32 images of the same shape, clipped to [0, 1].
    """
    measurements = as_batch(measurements, "measurements")
    balance = default_balance(noise_sigma) if balance is None else balance
    return next(_restored_at(measurements, kernel, [balance]))


def _restored_at(measurements, kernel, balances):
    """Yields conj(h) y / (|h|^2 + balance |l|^2), l the Laplacian, for each balance."""
    measurements = np.asarray(measurements)
    sides = measurements.shape[1:3]
    transfer, roughness = transfer_of(kernel, sides), transfer_of(LAPLACIAN, sides)
    blurred_back = np.conj(transfer) * spectrum_of(measurements)
    for balance in balances:
        power = np.abs(transfer) ** 2 + np.float32(balance) * np.abs(roughness) ** 2
        yield np.clip(images_of(blurred_back / power, sides), 0.0, 1.0)
