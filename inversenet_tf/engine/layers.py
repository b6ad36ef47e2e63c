"""The layers that the papers' tables share."""

import keras
import tensorflow as tf

from inversenet_tf.imaging.physics.operators import Downsampling
from inversenet_tf.imaging.physics.upsampling import bicubic

# The DCGAN and pix2pix convention of the paper's day; the paper names no initialisation.
KERNEL_STDDEV = 0.02


def last_stddev(global_skip):
    """The standard deviation of the initial weights of a network's last convolution.

    It is zero where the network's output is a correction of its input, which then starts at zero.
    """
    return 0.0 if global_skip else KERNEL_STDDEV


def convolution(
    filters,
    strides=1,
    transposed=False,
    stddev=KERNEL_STDDEV,
    padding="same",
    kernel_size=4,
    **kwargs,
):
    """Builds a convolution, by default Conv(4, 4, ., filters) of Tables 3 and 4 and of DCGAN.

    Its weights are drawn from a normal distribution around 0 with the standard deviation `stddev`.
    """
    layer = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    if (kernel_size, strides, transposed, padding) == (4, 2, False, "same"):
        layer = HalvingConv2D
    initializer = keras.initializers.RandomNormal(stddev=stddev)
    return layer(filters, kernel_size, strides, padding, kernel_initializer=initializer, **kwargs)


@keras.saving.register_keras_serializable("inversenet_tf", name="Conv2D")  # as in older files
class HalvingConv2D(keras.layers.Conv2D):
    """Keras' layer for 4 x 4 kernels, stride 2 and padding "same", with a faster gradient.

    In bfloat16 and with many channels, oneDNN computes the gradient by such a kernel at half the
    rate of a matrix product, which took a quarter of the paper's training step on a CPU.
    """

    MANY = 128  # channels from which on matrix products are faster

    def convolution_op(self, inputs, kernel):
        kernel = tf.convert_to_tensor(kernel)
        slow = inputs.dtype == tf.bfloat16 and inputs.shape[-1] >= self.MANY
        if not slow or tf.config.list_physical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        return _halving_convolution(inputs, kernel)


# Keras finds the weights in a model's file by the class names of the layers; files from before this
# class existed name Keras' own.
HalvingConv2D.__name__ = "Conv2D"


@tf.custom_gradient
def _halving_convolution(images, kernel):
    outputs = tf.nn.conv2d(images, kernel, 2, "SAME")

    def gradient(upstream):
        by_images = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(images), 2, "SAME")
        return by_images, _gradient_by_kernel(images, upstream)

    return outputs, gradient


def _gradient_by_kernel(images, upstream):
    """The gradient of a 4 x 4 convolution of stride 2 by its kernel.

    Computed as that of a 2 x 2 convolution of stride 1 on blocks of 2 x 2 pixels.

    Args:
        images: [batch, height, width, c].
        upstream: [batch, ceil(height / 2), ceil(width / 2), filters].

    Returns:
        [4, 4, c, filters].
    """
    channels, filters = images.shape[-1], upstream.shape[-1]
    sides, halved = tf.shape(images)[1:3], tf.shape(upstream)[1:3]
    after = 2 * halved + 1 - sides  # "same": one pixel before, the rest after
    padded = tf.pad(images, [[0, 0], [1, after[0]], [1, after[1]], [0, 0]])
    blocks = tf.nn.space_to_depth(padded, 2)
    flat = tf.reshape(upstream, [-1, filters])
    products = []
    for row in range(2):
        for column in range(2):
            met = blocks[:, row : row + halved[0], column : column + halved[1]]
            met = tf.reshape(met, [-1, 4 * channels])
            products.append(tf.matmul(met, flat, transpose_a=True))
    # [block row, block column, row in it, column in it, c, filters]
    gradient = tf.reshape(tf.stack(products), [2, 2, 2, 2, channels, filters])
    return tf.reshape(tf.transpose(gradient, [0, 2, 1, 3, 4, 5]), [4, 4, channels, filters])


@keras.saving.register_keras_serializable("inversenet_tf")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalisation with the paper's momentum 0.9 and epsilon 1e-5 (Appendix A.1).

    Keras' layer, with statistics over all replicas. Where one replica holds the whole batch,
    training uses TensorFlow's fused kernel, which reads bfloat16 and keeps float32 statistics. It
    gives the same numbers, and a training step takes about 0.83 of the time on a CPU.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, synchronized=True, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, synchronized=synchronized, **kwargs)

    def call(self, inputs, training=None, mask=None):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if not (training and self.trainable) or replicas > 1:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma.value),
            tf.convert_to_tensor(self.beta.value),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance; Keras' layer keeps the biased one.
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
        variance *= (count - 1.0) / count
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable("inversenet_tf")
class PixelUnshuffle(keras.layers.Layer):
    """Periodic pixel shuffling down: [b, h, w, c] -> [b, h / r, w / r, r * r * c]."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images):
        return images if self.factor == 1 else tf.nn.space_to_depth(images, self.factor)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable("inversenet_tf")
class PixelShuffle(keras.layers.Layer):
    """Periodic pixel shuffling up: [b, h, w, r * r * c] -> [b, h * r, w * r, c]."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images):
        return images if self.factor == 1 else tf.nn.depth_to_space(images, self.factor)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable("inversenet_tf", name="Enlarge")  # as in older files
class Upsample(keras.layers.Layer):
    """Bicubic interpolation of what `Downsampling(scale)` kept back to the image's grid.

    [b, h, w, c] -> [b, h * scale, w * scale, c], signed values in [-1, 1].

    Args:
        scale: how much larger the image is than the measurement.
        boundary, shift: of the operator.
    """

    def __init__(self, scale, boundary="circular", shift=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.boundary = boundary
        self.shift = shift

    def call(self, signed):
        if self.scale == 1:
            return signed
        centre = Downsampling(self.scale).phase + self.shift
        return bicubic(signed, self.scale, centre, self.boundary, clip=False)

    def get_config(self):
        own = {"scale": self.scale, "boundary": self.boundary, "shift": self.shift}
        return super().get_config() | own
