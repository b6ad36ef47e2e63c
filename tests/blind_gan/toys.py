"""Small priors whose behaviour is known: linear generators, and no training."""

import keras
import numpy as np

from blind_gan_tf.latents import Latents
from blind_gan_tf.search import FrozenPrior

SIDE = 12


def linear_generator(size=6, channels=1, scale=0.6, seed=0):
    """Latents -> SIDE x SIDE images in [-1, 1], linear: images = latents @ basis.

    Returns:
        (model, basis [size, SIDE, SIDE, channels]).
    """
    basis = np.random.default_rng(seed).normal(size=(size, SIDE * SIDE * channels))
    basis *= scale / np.abs(basis).sum(0).max()
    inputs = keras.Input((size,))
    dense = keras.layers.Dense(SIDE * SIDE * channels, use_bias=False)
    model = keras.Model(inputs, keras.layers.Reshape((SIDE, SIDE, channels))(dense(inputs)))
    dense.set_weights([basis.astype(np.float32)])
    model.trainable = False
    return model, basis.reshape(size, SIDE, SIDE, channels)


def mean_discriminator(channels=1):
    """Images -> 10 times their mean as a logit."""
    inputs = keras.Input((SIDE, SIDE, channels))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, keras.layers.Reshape(())(dense(pooled)))
    dense.set_weights([np.full((channels, 1), 10.0 / channels, np.float32)])
    model.trainable = False
    return model


def toy_prior(generator, discriminator=None):
    """Networks as the prior of a search; the latents are uniform."""
    return FrozenPrior(generator, discriminator, Latents(generator.input_shape[-1]))
