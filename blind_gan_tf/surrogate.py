"""Surrogates: shallow networks that stand in for the unknown operator F.

A surrogate is any Keras model from images [batch, height, width, sources * channels] in [0, 1] to
measurements [batch, height, width, measured channels]. Those of the paper are defined here; the one
beyond it, a single blur kernel, is `SharedKernel`.
"""

import keras
import numpy as np

from blind_gan_tf.config import SurrogateConfig
from blind_gan_tf.shared_kernel import SharedKernel
from inversenet_tf.imaging.physics.operators import pad


def glorot(seed, scale):
    """Glorot's uniform initialisation, with all values multiplied by `scale`."""
    return keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform", seed)


class TwoConvolutions(keras.Model):
    """Two convolutions without bias: 16 @ 5x5, then 3 @ 5x5 (Section 3.1).

    Their joint receptive field is 9 x 9 pixels. Subclasses define what comes between them.

    Args:
        image_channels: of the images.
        channels: of the measurements.
        filters: of the first convolution.
        kernel_size: side of both kernels in pixels, odd.
        boundary: how images are padded, "circular" or "reflect". Paper: not said.
        seed: of the initial weights.
        initial_scale: of the initial weights, relative to Glorot's.
    """

    activation = None  # between the two

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 3,
        *,
        filters: int = 16,
        kernel_size: int = 5,
        boundary: str = "circular",
        seed: int = 0,
        initial_scale: float = 1.0,
        **kwargs,
    ):
        if kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd kernel_size. Received: {kernel_size}")
        # === Layers ===
        first, second = (
            keras.layers.Conv2D(
                count,
                kernel_size,
                activation=activation,
                use_bias=False,
                name=name,
                kernel_initializer=glorot(layer_seed, initial_scale),
            )
            for count, activation, name, layer_seed in (
                (filters, self.activation, "first", seed),
                (channels, None, "second", seed + 1),
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

    def get_config(self):
        return self.options | {"name": self.name}


@keras.saving.register_keras_serializable("blind_gan_tf")
class LinearConvolution(TwoConvolutions):
    """The paper's surrogate: `TwoConvolutions` without a nonlinearity, hence one convolution."""

    @property
    def kernel(self) -> np.ndarray:
        """Both layers combined into one kernel: [height, width, image channels, channels].

        It is a kernel of convolution, as in `Blur`, whereas Keras layers compute correlations.
        """
        first, second = self.get_weights()
        size = len(first)
        reach = 2 * size - 1
        both = np.zeros((reach, reach, first.shape[2], second.shape[3]), np.float32)
        for row in range(size):
            for column in range(size):
                both[row : row + size, column : column + size] += first[row, column] @ second
        return both[::-1, ::-1]


@keras.saving.register_keras_serializable("blind_gan_tf")
class ReLUConvolution(TwoConvolutions):
    """`TwoConvolutions` with a ReLU in between, which the paper also tried and found slower."""

    activation = "relu"


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
    """S sources -> 16 units, ReLU -> N mixtures, the same for each pixel (Section 3.2).

    Args:
        sources: S, channels of the stacked source images.
        mixtures: N, channels of the measurements.
        units: of the first layer.
        seed: of the initial weights.
        initial_scale: of the initial weights, relative to Glorot's.
    """

    def __init__(
        self,
        sources: int = 3,
        mixtures: int = 1,
        *,
        units: int = 16,
        seed: int = 0,
        initial_scale: float = 1.0,
        **kwargs,
    ):
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


def build_surrogate(
    config: SurrogateConfig,
    *,
    image_channels: int,
    channels: int,
    seed: int,
    initial_kernel: np.ndarray | None = None,
) -> keras.Model:
    """Builds the surrogate that a `SurrogateConfig` describes, with its initial weights.

    Args:
        config: a `SurrogateConfig`.
        image_channels: of the stacked sources.
        channels: of the measurements.
        seed: of the weights.
        initial_kernel: the initial kernel of a `SharedKernel`; None for a random one.
    """
    if config.name == "mixing":
        return MixingNetwork(
            image_channels,
            channels,
            units=config.units,
            seed=seed,
            initial_scale=config.initial_scale,
        )
    if config.name == "shared_kernel":
        return SharedKernel(
            image_channels,
            kernel_size=config.kernel_size,
            boundary=config.boundary,
            seed=seed,
            initial_kernel=initial_kernel,
        )
    kind = {"linear_convolution": LinearConvolution, "relu_convolution": ReLUConvolution}
    return kind[config.name](
        image_channels,
        channels,
        filters=config.filters,
        kernel_size=config.kernel_size,
        boundary=config.boundary,
        seed=seed,
        initial_scale=config.initial_scale,
    )
