"""Surrogates: shallow networks that stand in for the unknown operator F.

A surrogate is any Keras model from images [batch, height, width, sources * channels] in [0, 1] to
measurements [batch, height, width, measured channels]; the paper's two are here.
"""

import keras
import numpy as np

from inversenet_tf.imaging.physics.operators import pad


def glorot(seed, scale):
    """Glorot's uniform initialisation, its values times `scale`."""
    return keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform", seed)


@keras.saving.register_keras_serializable("blind_gan_tf")
class LinearConvolution(keras.Model):
    """Two convolutions without bias or activation: 16 @ 5x5, then 3 @ 5x5 (Section 3.1).

    Together they are one convolution of 9 x 9 pixels, and reach no further.

    Args:
        image_channels: of the images.
        channels: of the measurements.
        filters: of the first convolution.
        kernel_size: side of both kernels in pixels, odd.
        boundary: how images are padded, "circular" or "reflect". Paper: not said.
        seed: of the first weights.
        initial_scale: of the first weights, times Glorot's.
    """

    def __init__(
        self,
        image_channels=3,
        channels=3,
        filters=16,
        kernel_size=5,
        boundary="circular",
        seed=0,
        initial_scale=1.0,
        **kwargs,
    ):
        if kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd kernel_size. Received: {kernel_size}")
        # === Layers ===
        first, second = (
            keras.layers.Conv2D(
                count,
                kernel_size,
                use_bias=False,
                name=name,
                kernel_initializer=glorot(layer_seed, initial_scale),
            )
            for count, name, layer_seed in (
                (filters, "first", seed),
                (channels, "second", seed + 1),
            )
        )
        # === Functional graph ===
        inputs = keras.Input((None, None, image_channels), name="images")
        x = BoundaryPadding(kernel_size - 1, boundary)(inputs)
        super().__init__(inputs, second(first(x)), **kwargs)
        # === Config ===
        self.options = {
            "image_channels": image_channels,
            "channels": channels,
            "filters": filters,
            "kernel_size": kernel_size,
            "boundary": boundary,
            "seed": seed,
            "initial_scale": initial_scale,
        }

    @property
    def kernel(self) -> np.ndarray:
        """The kernels of both layers as one: [height, width, image channels, channels].

        It is that of a convolution, as `Blur` has it; layers of Keras correlate.
        """
        first, second = self.get_weights()
        size = len(first)
        reach = 2 * size - 1
        both = np.zeros((reach, reach, first.shape[2], second.shape[3]), np.float32)
        for row in range(size):
            for column in range(size):
                both[row : row + size, column : column + size] += first[row, column] @ second
        return both[::-1, ::-1]

    def get_config(self):
        return self.options | {"name": self.name}


@keras.saving.register_keras_serializable("blind_gan_tf")
class BoundaryPadding(keras.layers.Layer):
    """Extends images by `width` pixels on each side, wrapped around or mirrored."""

    def __init__(self, width, boundary, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.boundary = boundary

    def call(self, images):
        reach = (self.width, self.width)
        return pad(images, reach, reach, self.boundary)

    def get_config(self):
        return super().get_config() | {"width": self.width, "boundary": self.boundary}


@keras.saving.register_keras_serializable("blind_gan_tf")
class MixingNetwork(keras.Model):
    """S sources -> 16 units, ReLU -> N mixtures, in each pixel alike (Section 3.2).

    Args:
        sources: S, channels of the stacked source images.
        mixtures: N, channels of the measurements.
        units: of the first layer.
        seed: of the first weights.
        initial_scale: of the first weights, times Glorot's.
    """

    def __init__(self, sources=3, mixtures=1, units=16, seed=0, initial_scale=1.0, **kwargs):
        first, second = (glorot(seed + layer, initial_scale) for layer in (0, 1))
        inputs = keras.Input((None, None, sources), name="sources")
        x = keras.layers.Dense(units, "relu", kernel_initializer=first, name="first")(inputs)
        outputs = keras.layers.Dense(mixtures, kernel_initializer=second, name="second")(x)
        super().__init__(inputs, outputs, **kwargs)
        self.options = {
            "sources": sources,
            "mixtures": mixtures,
            "units": units,
            "seed": seed,
            "initial_scale": initial_scale,
        }

    def get_config(self):
        return self.options | {"name": self.name}


def build_surrogate(config, image_channels, channels, seed):
    """The surrogate that a `SurrogateConfig` describes, with random weights.

    Args:
        config: a `SurrogateConfig`.
        image_channels: of the stacked sources.
        channels: of the measurements.
        seed: of the weights.
    """
    if config.name == "mixing":
        return MixingNetwork(image_channels, channels, config.units, seed, config.initial_scale)
    return LinearConvolution(
        image_channels,
        channels,
        config.filters,
        config.kernel_size,
        config.boundary,
        seed,
        config.initial_scale,
    )
