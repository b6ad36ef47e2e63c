"""The inversion network of Table 3: measurements y -> first estimate z."""

import keras

from inversenet_tf.engine.layers import BatchNorm, convolution, last_stddev
from inversenet_tf.models.correction import scaled_by_reach

WIDTHS = (16, 32, 64, 128, 128, 128, 128, 128)  # of e1 to e8


def widths_of(width: int) -> list[int]:
    """The channels of `e1` to `e8`, scaled so that `e1` has `width`."""
    return [level * width // WIDTHS[0] for level in WIDTHS]


@keras.saving.register_keras_serializable("inversenet_tf")
class UNet(keras.Model):
    """U-Net with one stride-2 level per factor of two of the training size.

    `e1` ... `eN` go down, `d1` ... `dN` come up; each `d` joins the pre-activation of its mirror
    `e` along the channels. Works on [-1, 1].

    Args:
        depth: number of levels, 1 to 8; 8 is Table 3, for training at 256 x 256.
        channels: of the images, 1 or 3.
        global_skip: whether the input, or its first `channels`, is added to the output. Paper: off.
        measurement_channels: of the input; None for those of the image.
        scaled_skip: whether the output, before the global skip, is multiplied by the input channel
            that follows the image's, shifted from [-1, 1] to [0, 2].
        width: channels of `e1`; those of all levels scale with it. Table 3: 16.
        dtype: Keras dtype or policy of the hidden layers; the output is float32.

    Input: [batch, height, width, measurement_channels], sides a multiple of 2 ** depth. Output:
    [batch, height, width, channels], in (-1, 1) without the global skip.
    """

    def __init__(
        self,
        depth=8,
        channels=3,
        global_skip=False,
        measurement_channels=None,
        scaled_skip=False,
        width=WIDTHS[0],
        dtype=None,
        **kwargs,
    ):
        if not 1 <= depth <= len(WIDTHS):
            raise ValueError(f"Expected depth from 1 to {len(WIDTHS)}. Received: {depth}")
        measurement_channels = measurement_channels or channels
        widths = widths_of(width)

        # === Functional graph ===
        inputs = keras.Input((None, None, measurement_channels), name="measurements")
        encoded = [convolution(widths[0], strides=2, dtype=dtype, name="e1")(inputs)]
        for level, filters in enumerate(widths[1:depth], start=2):
            x = keras.layers.LeakyReLU(0.2, dtype=dtype)(encoded[-1])
            x = convolution(filters, strides=2, dtype=dtype, name=f"e{level}_conv")(x)
            encoded.append(BatchNorm(dtype=dtype, name=f"e{level}")(x))
        x = encoded.pop()
        for level, skip in enumerate(reversed(encoded), start=1):
            x = keras.layers.ReLU(dtype=dtype)(x)
            x = convolution(
                skip.shape[-1], strides=2, transposed=True, dtype=dtype, name=f"d{level}_conv"
            )(x)
            x = BatchNorm(dtype=dtype, name=f"d{level}_norm")(x)
            x = keras.layers.Concatenate(dtype=dtype, name=f"d{level}")([x, skip])
        x = keras.layers.ReLU(dtype=dtype)(x)
        stddev = last_stddev(global_skip)
        x = convolution(channels, 2, True, stddev, dtype=dtype, name=f"d{depth}_conv")(x)
        outputs = keras.layers.Activation("tanh", dtype="float32", name=f"d{depth}")(x)
        if scaled_skip:
            outputs = scaled_by_reach(outputs, inputs, channels)
        if global_skip:
            corrected = inputs[..., :channels] if measurement_channels > channels else inputs
            outputs = keras.layers.Add(dtype="float32", name="global_skip")([corrected, outputs])
        super().__init__(inputs, outputs, **kwargs)

        # === Config ===
        self.depth = depth
        self.channels = channels
        self.global_skip = global_skip
        self.measurement_channels = measurement_channels
        self.scaled_skip = scaled_skip
        self.width = width
        self.hidden_dtype = dtype

    @property
    def multiple(self):
        """The number that height and width of the input must be a multiple of."""
        return 2**self.depth

    def get_config(self):
        return {
            "depth": self.depth,
            "channels": self.channels,
            "global_skip": self.global_skip,
            "measurement_channels": self.measurement_channels,
            "scaled_skip": self.scaled_skip,
            "width": self.width,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
