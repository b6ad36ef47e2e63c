"""Simulates what a camera stores of the light that reaches its sensor."""

import numpy as np

from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import within_frame


def stored(light, noise, generator):
    """Adds a sensor's noise to light, clips it and rounds it to 8 bits.

    Args:
        light: [height, width, channels], white being 1.
        noise: standard deviation, white being 1.
        generator: NumPy's, for the noise.
    """
    noisy = light + noise * generator.standard_normal(light.shape)
    return round_to_8_bits(noisy.astype(np.float32)).numpy()


def photographed(image, kernel, noise, generator):
    """Blurs an image; returns what a camera stores, and the part of the image that it shows."""
    blurred, sharp = within_frame(kernel, image)
    return stored(blurred, noise, generator), sharp
