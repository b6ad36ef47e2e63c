"""SRGAN's generator (Ledig et al. 2017), another network for the inversion."""

import math

import keras

from inversenet_tf.config import MOST_LAYERS
from inversenet_tf.engine.layers import (
    BatchNorm,
    PixelShuffle,
    Upsample,
    convolution,
    last_stddev,
)


@keras.saving.register_keras_serializable("inversenet_tf")
class SRResNet(keras.Model):
    """Residual blocks on the measurement's own grid, then pixel shuffling up to the image's.

    Works on [-1, 1].

    Args:
        scale: how much larger the image is than the measurement: a power of two, 1 included.
        channels: of the images, 1 or 3.
        blocks: number of residual blocks, up to `MOST_LAYERS`; 16 in the SRGAN paper.
        width: number of features; 64 in that paper.
        global_skip: whether the upsampled measurement is added to the output. SRGAN: off.
        measurement_channels: of the measurement; None for those of the image.
        boundary, shift: of the operator, for that upsampling.
        subpixel: whether one convolution on the measurement's grid gives all pixels of the image
            (Shi et al. 2016), so that nothing is computed on the image's; the first and the last
            convolution are then 3 x 3. SRGAN: off.
        dtype: Keras dtype or policy of the hidden layers; the output is float32.

    Input: [batch, height, width, measurement_channels]. Output: [batch, height * scale,
    width * scale, channels], in (-1, 1) without the global skip.
    """

    def __init__(
        self,
        scale=4,
        channels=3,
        blocks=16,
        width=64,
        global_skip=False,
        measurement_channels=None,
        boundary="circular",
        shift=0.0,
        subpixel=False,
        dtype=None,
        **kwargs,
    ):
        if scale < 1 or scale & (scale - 1):
            raise ValueError(f"Expected scale to be a power of two. Received: {scale}")
        if not 1 <= blocks <= MOST_LAYERS:
            raise ValueError(f"Expected blocks from 1 to {MOST_LAYERS}. Received: {blocks}")
        measurement_channels = measurement_channels or channels

        def prelu(x):
            return keras.layers.PReLU(shared_axes=[1, 2], dtype=dtype)(x)

        def conv_norm(x, name):
            x = convolution(width, kernel_size=3, dtype=dtype, name=f"{name}_conv")(x)
            return BatchNorm(dtype=dtype, name=f"{name}_norm")(x)

        # === Functional graph ===
        inputs = keras.Input((None, None, measurement_channels), name="measurements")
        reach = 3 if subpixel else 9
        x = first = prelu(convolution(width, kernel_size=reach, dtype=dtype, name="first")(inputs))
        for index in range(1, blocks + 1):
            residual = prelu(conv_norm(x, f"block{index}_1"))
            residual = conv_norm(residual, f"block{index}_2")
            x = keras.layers.Add(dtype=dtype, name=f"block{index}")([x, residual])
        x = keras.layers.Add(dtype=dtype, name="blocks")([first, conv_norm(x, "after_blocks")])
        stddev = last_stddev(global_skip)
        if subpixel:
            pixels = scale**2 * channels
            x = convolution(pixels, kernel_size=3, stddev=stddev, dtype=dtype, name="last")(x)
            x = PixelShuffle(scale, dtype=dtype, name="pixels")(x)
        else:
            for index in range(1, int(math.log2(scale)) + 1):
                x = convolution(4 * width, kernel_size=3, dtype=dtype, name=f"up{index}_conv")(x)
                x = prelu(PixelShuffle(2, dtype=dtype, name=f"up{index}")(x))
            x = convolution(channels, kernel_size=9, stddev=stddev, dtype=dtype, name="last")(x)
        outputs = keras.layers.Activation("tanh", dtype="float32", name="tanh")(x)
        if global_skip:
            upsample = Upsample(scale, boundary, shift, dtype="float32", name="upsampled")
            upsampled = upsample(inputs)
            outputs = keras.layers.Add(dtype="float32", name="global_skip")([upsampled, outputs])
        super().__init__(inputs, outputs, **kwargs)

        # === Config ===
        self.scale = scale
        self.channels = channels
        self.blocks = blocks
        self.width = width
        self.global_skip = global_skip
        self.measurement_channels = measurement_channels
        self.boundary = boundary
        self.shift = shift
        self.subpixel = subpixel
        self.hidden_dtype = dtype

    @property
    def multiple(self):
        """The number that height and width of the image must be a multiple of."""
        return self.scale

    def get_config(self):
        return {
            "scale": self.scale,
            "channels": self.channels,
            "blocks": self.blocks,
            "width": self.width,
            "global_skip": self.global_skip,
            "measurement_channels": self.measurement_channels,
            "boundary": self.boundary,
            "shift": self.shift,
            "subpixel": self.subpixel,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
