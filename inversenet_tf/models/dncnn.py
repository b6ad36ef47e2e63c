"""DnCNN (Zhang et al. 2017): another denoiser for the second part of an InverseNet."""

import keras

from inversenet_tf.config import MOST_LAYERS
from inversenet_tf.engine.layers import BatchNorm, convolution

WIDTH = 64  # of the paper


@keras.saving.register_keras_serializable("inversenet_tf")
class DnCNN(keras.Model):
    """A stack of 3 x 3 convolutions that predicts the noise, which is then subtracted.

    Works on [-1, 1] and on any size. It starts as the identity.

    Args:
        channels: of the images, 1 or 3.
        layers: number of convolutions, 3 to `MOST_LAYERS`; 17 in the DnCNN paper.
        width: features of the hidden layers; 64 in that paper.
        dtype: Keras dtype or policy of the hidden layers; the output is float32.

    Input: z [batch, height, width, channels]. Output: the same shape.
    """

    def __init__(self, channels=3, layers=17, width=WIDTH, dtype=None, **kwargs):
        if not 3 <= layers <= MOST_LAYERS:
            raise ValueError(f"Expected layers from 3 to {MOST_LAYERS}. Received: {layers}")

        # === Functional graph ===
        inverted = keras.Input((None, None, channels), name="inverted")
        x = convolution(width, kernel_size=3, dtype=dtype, name="conv1")(inverted)
        x = keras.layers.ReLU(dtype=dtype, name="relu1")(x)
        for index in range(2, layers):
            x = convolution(width, kernel_size=3, dtype=dtype, name=f"conv{index}")(x)
            x = BatchNorm(dtype=dtype, name=f"norm{index}")(x)
            x = keras.layers.ReLU(dtype=dtype, name=f"relu{index}")(x)
        noise = convolution(channels, kernel_size=3, stddev=0.0, dtype=dtype, name=f"conv{layers}")(
            x
        )
        outputs = keras.layers.Subtract(dtype="float32", name="denoised")([inverted, noise])
        super().__init__(inverted, outputs, **kwargs)

        # === Config ===
        self.channels = channels
        self.depth = layers
        self.width = width
        self.hidden_dtype = dtype

    def get_config(self):
        return {
            "channels": self.channels,
            "layers": self.depth,
            "width": self.width,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
