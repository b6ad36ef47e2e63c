"""The layers that the papers' tables share."""

import keras
import tensorflow as tf

# The DCGAN and pix2pix convention of the paper's day; the paper names no initialisation.
KERNEL_STDDEV = 0.02


def last_stddev(global_skip):
    """Of a network's last convolution: a correction that is added to the input starts at zero."""
    return 0.0 if global_skip else KERNEL_STDDEV


def convolution(filters, strides=1, transposed=False, stddev=KERNEL_STDDEV, **kwargs):
    """Conv(4, 4, ., filters)-'SAME' of Tables 3 and 4, initialised from N(0, stddev)."""
    layer = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    initializer = keras.initializers.RandomNormal(stddev=stddev)
    return layer(filters, 4, strides, "same", kernel_initializer=initializer, **kwargs)


def batch_norm(**kwargs):
    """Batch normalisation with the paper's momentum 0.9 and epsilon 1e-5 (Appendix A.1)."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, **kwargs)


@keras.saving.register_keras_serializable("inversenet_tf")
class PixelUnshuffle(keras.layers.Layer):
    """Periodical pixel shuffling down: [b, h, w, c] -> [b, h / r, w / r, r * r * c]."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images):
        return tf.nn.space_to_depth(images, self.factor)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable("inversenet_tf")
class PixelShuffle(keras.layers.Layer):
    """Periodical pixel shuffling up: [b, h, w, r * r * c] -> [b, h * r, w * r, c]."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images):
        return tf.nn.depth_to_space(images, self.factor)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}
