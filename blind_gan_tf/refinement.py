"""Refines the images that a search found, letting them leave the generator's range.

In the second algorithm of Asim, Shamshad and Ahmed, "Blind Image Deconvolution using Deep
Generative Priors" (2020), an image may leave the generator's range, but is kept near it, and smooth
by its total variation. Here the search's operator and G(z) stay fixed, and only the image moves:

    x = argmin ||F-hat(x) - y||^2 + closeness ||x - G(z)||^2 + total_variation TV(x).
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from blind_gan_tf.config import RefinementConfig

SMOOTHING = 1e-6  # under TV's square root, whose gradient is infinite where an image is flat


def refine(
    images: np.ndarray,
    measurements: np.ndarray,
    *,
    operator: Callable,
    config: RefinementConfig | None = None,
) -> np.ndarray:
    """Moves images towards their measurements, but not far from G(z).

    Args:
        images: G(z), stacked, [n, height, width, sources * channels] in [0, 1].
        measurements: [n, height, width, measured channels].
        operator: F-hat, from such images to measurements.
        config: the weights of the terms and the length of the descent; by default
            `RefinementConfig()`.

    Returns:
        float32 images of the same shape in [0, 1].

    Raises:
        ValueError: a value of the config is out of its range.
    """
    config = config or RefinementConfig()
    config.validate()
    generated = tf.constant(images, tf.float32)
    measurements = tf.constant(measurements, tf.float32)
    refined = keras.Variable(generated)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build([refined])

    @tf.function
    def descend():
        with tf.GradientTape() as tape:
            loss = objective(
                refined.value, generated, measurements, operator=operator, config=config
            )
        optimizer.apply([tape.gradient(loss, refined.value)], [refined])
        refined.assign(tf.clip_by_value(refined.value, 0.0, 1.0))

    for _ in range(config.steps):
        descend()
    return refined.numpy()


def objective(images, generated, measurements, *, operator, config):
    """The objective of the module's docstring, summed over all images."""
    return (
        tf.reduce_sum(tf.square(operator(images) - measurements))
        + config.closeness * tf.reduce_sum(tf.square(images - generated))
        + config.total_variation * total_variation(images)
    )


def total_variation(images):
    """Isotropic total variation of each channel, with circular boundary, summed over all images."""
    down = tf.roll(images, -1, axis=1) - images
    right = tf.roll(images, -1, axis=2) - images
    return tf.reduce_sum(tf.sqrt(tf.square(down) + tf.square(right) + SMOOTHING))
