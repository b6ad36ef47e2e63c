"""What a camera stores of the light that reaches its sensor."""

import numpy as np

from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import within_frame


def stored(light, noise, generator):
    """Light with a sensor's noise, cut off at white, in 8 bits.

    Args:
        light: [height, width, channels], white being 1.
        noise: standard deviation, of white as 1.
        generator: of NumPy's, of the noise.
    """
    noisy = light + noise * generator.standard_normal(light.shape)
    return round_to_8_bits(noisy.astype(np.float32)).numpy()


def photographed(image, kernel, noise, generator):
    """What a camera stores of a sharp image, and the part of the image that it shows."""
    blurred, sharp = within_frame(kernel, image)
    return stored(blurred, noise, generator), sharp
