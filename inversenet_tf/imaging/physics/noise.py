"""What happens to a measurement after the operator: sensor noise, then storage as 8 bits."""

import tensorflow as tf

from inversenet_tf.imaging.files.pixels import WHITE

ROUNDING_VARIANCE = 1.0 / 12.0 / WHITE**2  # of the error of storage in 8 bits
ROUNDING_SIGMA = ROUNDING_VARIANCE**0.5


def round_to_8_bits(measurements):
    """Clips to [0, 1] and rounds to the nearest of the 256 values a stored image can hold."""
    return tf.round(tf.clip_by_value(measurements, 0.0, 1.0) * WHITE) / WHITE


def add_gaussian_noise(measurements, sigma, seed):
    """Adds white Gaussian noise; the result is not clipped.

    Args:
        measurements: float32 in [0, 1].
        sigma: standard deviation, in units of [0, 1]; or [batch], one for each image.
        seed: int tensor of shape [2]; the same seed gives the same noise. Or [batch, 2], which
            gives each image the noise it would have alone.
    """

    def noise(seed, shape):
        return tf.random.stateless_normal(shape, seed)

    sigma = tf.cast(sigma, tf.float32)
    if len(sigma.shape) == 1:
        sigma = tf.reshape(sigma, [-1, 1, 1, 1])
    seed, shape = tf.convert_to_tensor(seed), tf.shape(measurements)
    if len(seed.shape) == 1:
        return measurements + sigma * noise(seed, shape)
    signature = tf.TensorSpec(measurements.shape[1:], tf.float32)
    return measurements + sigma * tf.map_fn(
        lambda own: noise(own, shape[1:]), seed, fn_output_signature=signature
    )
