"""The denoising auto-encoder of Table 4: first estimate z (and more) -> restored image."""

import keras

from inversenet_tf.engine.layers import (
    BatchNorm,
    PixelShuffle,
    PixelUnshuffle,
    convolution,
    last_stddev,
)

CONDITIONS = ("none", "inner", "shuffled")


@keras.saving.register_keras_serializable("inversenet_tf")
class DAE(keras.Model):
    """Denoising auto-encoder without a bottleneck, on a pixel-shuffled grid.

    Works on [-1, 1].

    Args:
        factor: r of the pixel shuffling; 4 in Table 4.
        channels: of the images, 1 or 3.
        condition: how the measurement is concatenated in the middle: "inner" if it already has
            the size of the inner grid (super-resolution by r, Table 4); "shuffled" if it has the
            size of the image and is pixel-shuffled to the inner grid; or "none" ("if desired",
            Section 3.2).
        measurement_channels: of the measurement; None for those of the image.
        global_skip: whether z, or the half-step if there is one, is added to the output. Paper:
            off.
        paper_literal: whether to end with Table 4's batch norm and ReLU, which cannot output a
            value below the middle of the range, instead of tanh.
        half_step: whether z is followed by a second estimate, which a `HalfStep` of Eqs. 3 and 4
            makes of it. Paper: none.
        dtype: Keras dtype or policy of the hidden layers; the output is float32.

    Input: z [batch, height, width, channels], sides a multiple of `factor`; or a list of z, the
    half-step of that shape if there is one, and y if conditioned. Output: the shape of z.
    """

    def __init__(
        self,
        factor=4,
        channels=3,
        condition="none",
        measurement_channels=None,
        global_skip=False,
        paper_literal=False,
        half_step=False,
        dtype=None,
        **kwargs,
    ):
        if condition not in CONDITIONS:
            raise ValueError(f"Expected condition in {CONDITIONS}. Received: {condition!r}")
        measurement_channels = measurement_channels or channels

        def conv_norm_relu(x, filters, index):
            x = convolution(filters, dtype=dtype, name=f"conv{index}")(x)
            x = BatchNorm(dtype=dtype, name=f"norm{index}")(x)
            return keras.layers.ReLU(dtype=dtype, name=f"relu{index}")(x)

        # === Functional graph ===
        inverted = keras.Input((None, None, channels), name="inverted")
        inputs, x, corrected = [inverted], inverted, inverted
        if half_step:
            corrected = keras.Input((None, None, channels), name="half_step")
            inputs.append(corrected)
            x = keras.layers.Concatenate(dtype=dtype, name="estimates")([inverted, corrected])
        x = PixelUnshuffle(factor, dtype=dtype, name="unshuffle")(x)
        for index, filters in enumerate((128, 64, 32), start=1):
            x = conv_norm_relu(x, filters, index)
        if condition != "none":
            measurements = keras.Input((None, None, measurement_channels), name="measurements")
            inputs.append(measurements)
            y = measurements
            if condition == "shuffled":
                y = PixelUnshuffle(factor, dtype=dtype, name="unshuffle_measurements")(y)
            x = keras.layers.Concatenate(dtype=dtype, name="concatenate")([x, y])
        for index, filters in enumerate((64, 128), start=4):
            x = conv_norm_relu(x, filters, index)
        if paper_literal:
            x = conv_norm_relu(x, factor * factor * channels, 6)
        else:
            # Paper: Conv-BN-ReLU; here: linear, then tanh, because the images are signed.
            stddev, filters = last_stddev(global_skip), factor * factor * channels
            x = convolution(filters, stddev=stddev, dtype=dtype, name="conv6")(x)
        x = PixelShuffle(factor, dtype="float32", name="shuffle")(x)
        outputs = x if paper_literal else keras.layers.Activation("tanh", dtype="float32")(x)
        if global_skip:
            outputs = keras.layers.Add(dtype="float32", name="global_skip")([corrected, outputs])
        super().__init__(inputs if len(inputs) > 1 else inverted, outputs, **kwargs)

        # === Config ===
        self.factor = factor
        self.channels = channels
        self.condition = condition
        self.measurement_channels = measurement_channels
        self.global_skip = global_skip
        self.paper_literal = paper_literal
        self.half_step = half_step
        self.hidden_dtype = dtype

    @property
    def multiple(self):
        """The number that height and width of the image must be a multiple of."""
        return self.factor

    def get_config(self):
        return {
            "factor": self.factor,
            "channels": self.channels,
            "condition": self.condition,
            "measurement_channels": self.measurement_channels,
            "global_skip": self.global_skip,
            "paper_literal": self.paper_literal,
            "half_step": self.half_step,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
