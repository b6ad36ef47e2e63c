"""Mixtures of several images, Section 3.2: Y = |M^T X|."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from blind_gan_tf.config import MixingConfig


class Mixing:
    """Weighted sums of the sources, pixel by pixel, followed by the absolute value.

    Args:
        matrix: M, [sources, mixtures].
        nonlinearity: "abs", the paper's, or "none".
        signed: whether X is in [-1, 1], the range of a generator's tanh, as in the paper; otherwise
            it is in [0, 1], where black adds nothing.
    """

    def __init__(self, matrix: np.ndarray, nonlinearity: str = "abs", signed: bool = True):
        self.matrix = np.asarray(matrix, np.float32)
        self.nonlinearity = nonlinearity
        self.signed = signed

    def __call__(self, images):
        """[..., height, width, sources] in [0, 1] -> [..., height, width, mixtures]."""
        images = tf.convert_to_tensor(images)
        images = images * 2.0 - 1.0 if self.signed else images
        mixed = tf.tensordot(images, self.matrix, 1)
        return tf.abs(mixed) if self.nonlinearity == "abs" else mixed


def draw_mixing(config: MixingConfig, sources: int, seed) -> Mixing:
    """Draws a `Mixing` whose matrix has independent entries, N(mean, stddev) of the config."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(config.mean, config.stddev, (sources, config.mixtures))
    return Mixing(matrix, config.nonlinearity, config.signed)


def additive(mixtures: int, signed: bool) -> Callable:
    """The naive operator: every mixture is the plain sum of the sources."""

    def add(images):
        images = images * 2.0 - 1.0 if signed else images
        return tf.repeat(tf.reduce_sum(images, -1, keepdims=True), mixtures, -1)

    return add
