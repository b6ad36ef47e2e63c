"""The discriminator that both outputs share; the paper does not specify its layers."""

import keras

from inversenet_tf.engine.layers import BatchNorm, convolution


@keras.saving.register_keras_serializable("inversenet_tf")
class Discriminator(keras.Model):
    """DCGAN's discriminator: four stride-2 convolutions, then one logit per image.

    A fully convolutional network for images of any size in [-1, 1]: the logit is the mean of a map
    of logits, one for each 4 x 4 neighbourhood of the last features.

    Args:
        channels: of the images, 1 or 3.
        width: features of the first convolution, doubled by each of the next three.
        dtype: Keras dtype or policy of the hidden layers; the logits are float32.

    Input: [batch, height, width, channels]. Output: [batch].
    """

    def __init__(self, channels=3, width=64, dtype=None, **kwargs):
        # === Functional graph ===
        inputs = keras.Input((None, None, channels), name="images")
        x = convolution(width, strides=2, dtype=dtype, name="conv1")(inputs)
        x = keras.layers.LeakyReLU(0.2, dtype=dtype)(x)
        for index in (2, 3, 4):
            x = convolution(width * 2 ** (index - 1), strides=2, dtype=dtype, name=f"conv{index}")(
                x
            )
            x = BatchNorm(dtype=dtype, name=f"norm{index}")(x)
            x = keras.layers.LeakyReLU(0.2, dtype=dtype)(x)
        logits = convolution(1, dtype=dtype, name="logits")(x)
        pooled = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pool")(logits)
        outputs = keras.layers.Reshape((), dtype="float32", name="logit")(pooled)
        super().__init__(inputs, outputs, **kwargs)

        # === Config ===
        self.channels = channels
        self.width = width
        self.hidden_dtype = dtype

    def get_config(self):
        return {
            "channels": self.channels,
            "width": self.width,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
