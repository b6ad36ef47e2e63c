import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics import noise


def test_rounding_gives_the_nearest_of_256_levels():
    values = np.linspace(-0.1, 1.1, 2001, dtype=np.float32)
    expected = np.round(np.clip(values, 0, 1) * 255) / 255
    rounded = noise.round_to_8_bits(tf.constant(values)).numpy()
    assert np.abs(rounded - expected).max() < 1e-6


def test_gaussian_noise_has_its_deviation_and_repeats_by_seed():
    zeros = tf.zeros((1, 100, 100, 3))
    sample = noise.add_gaussian_noise(zeros, 0.1, [1, 2]).numpy()
    assert abs(sample.std() - 0.1) < 2e-3
    assert abs(sample.mean()) < 2e-3
    np.testing.assert_array_equal(sample, noise.add_gaussian_noise(zeros, 0.1, [1, 2]))
    assert np.abs(sample - noise.add_gaussian_noise(zeros, 0.1, [1, 3])).max() > 0.1
