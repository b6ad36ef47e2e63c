"""What happens to a measurement after the operator: storage as 8 bits, then sensor noise."""

import tensorflow as tf

from inversenet_tf.imaging.io import WHITE


def round_to_8_bits(measurements):
    """Clips to [0, 1] and rounds to the nearest of the 256 values a stored image can hold."""
    return tf.round(tf.clip_by_value(measurements, 0.0, 1.0) * WHITE) / WHITE


def add_gaussian_noise(measurements, sigma, seed):
    """Adds white Gaussian noise; the result is not clipped.

    Args:
        measurements: float32 in [0, 1].
        sigma: standard deviation, in the units of [0, 1].
        seed: int tensor of shape [2]; the same seed gives the same noise.
    """
    noise = tf.random.stateless_normal(tf.shape(measurements), seed, stddev=sigma)
    return measurements + noise
