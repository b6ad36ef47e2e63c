"""Residual blocks that correct the closed form of Eq. 3 on a coarser grid."""

import math

import keras

from inversenet_tf.config import MOST_LAYERS
from inversenet_tf.engine.layers import PixelShuffle, PixelUnshuffle, convolution
from inversenet_tf.models.correction import scaled_by_reach

LEAST_FACTOR = 2  # of the pixel shuffling: on the image's own grid the blocks would cost too much


@keras.saving.register_keras_serializable("inversenet_tf")
class SolverResNet(keras.Model):
    """EDSR's residual blocks (Lim et al. 2017) between two pixel shufflings; works on [-1, 1].

    Blocks of `factor` x `factor` pixels become channels, so that nothing is computed on the image's
    own grid, and each 3 x 3 convolution sees `factor` times as far. The output is the sum of the
    input's first `channels` and a correction, which starts at zero.

    Args:
        factor: r of the pixel shuffling; `build_model` takes the operator's scale, and at least
            `LEAST_FACTOR`.
        channels: of the images, 1 or 3.
        input_channels: of the input: the estimate to correct, its other parts, the measurement.
        blocks: number of residual blocks, up to `MOST_LAYERS`.
        width: number of features.
        scaled: whether the correction is multiplied by the input channel that follows the image's,
            shifted from [-1, 1] to [0, 2].
        dtype: Keras dtype or policy of the hidden layers; the output is float32.

    Input: [batch, height, width, input_channels], sides a multiple of `factor`. Output:
    [batch, height, width, channels].
    """

    def __init__(
        self,
        factor,
        channels=3,
        input_channels=None,
        blocks=16,
        width=64,
        scaled=False,
        dtype=None,
        **kwargs,
    ):
        if not 1 <= blocks <= MOST_LAYERS:
            raise ValueError(f"Expected blocks from 1 to {MOST_LAYERS}. Received: {blocks}")
        input_channels = input_channels or channels

        def conv(x, name, filters=width, kernel_size=3):
            # He's initialisation: without norms, the features keep their size through the blocks.
            deviation = math.sqrt(2.0 / (kernel_size**2 * x.shape[-1]))
            return convolution(
                filters, kernel_size=kernel_size, stddev=deviation, dtype=dtype, name=name
            )(x)

        def conv_from_zero(x, name, filters=width):
            return convolution(filters, kernel_size=3, stddev=0.0, dtype=dtype, name=name)(x)

        # === Functional graph ===
        inputs = keras.Input((None, None, input_channels), name="measurements")
        x = PixelUnshuffle(factor, dtype=dtype, name="blocks_of_pixels")(inputs)
        x = conv(x, "first")
        for index in range(1, blocks + 1):
            residual = keras.layers.ReLU(dtype=dtype)(conv(x, f"block{index}_1"))
            residual = conv_from_zero(residual, f"block{index}_2")
            x = keras.layers.Add(dtype=dtype, name=f"block{index}")([x, residual])
        x = conv_from_zero(x, "last", filters=factor**2 * channels)
        x = PixelShuffle(factor, dtype=dtype, name="pixels")(x)
        correction = keras.layers.Activation("tanh", dtype="float32", name="tanh")(x)
        if scaled:
            correction = scaled_by_reach(correction, inputs, channels)
        estimate = inputs[..., :channels]
        outputs = keras.layers.Add(dtype="float32", name="corrected")([estimate, correction])
        super().__init__(inputs, outputs, **kwargs)

        # === Config ===
        self.factor = factor
        self.channels = channels
        self.input_channels = input_channels
        self.blocks = blocks
        self.width = width
        self.scaled = scaled
        self.hidden_dtype = dtype

    @property
    def multiple(self):
        """The number that height and width of the input must be a multiple of."""
        return self.factor

    def get_config(self):
        return {
            "factor": self.factor,
            "channels": self.channels,
            "input_channels": self.input_channels,
            "blocks": self.blocks,
            "width": self.width,
            "scaled": self.scaled,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
