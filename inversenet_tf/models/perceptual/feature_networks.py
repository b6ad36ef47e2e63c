"""Networks trained on ImageNet, up to the layer whose features a comparator takes."""

import keras
import tensorflow as tf

LEAST_SIZE = 32  # so that the poolings of SqueezeNet and VGG16 leave at least a pixel
VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, channels


@keras.saving.register_keras_serializable("inversenet_tf")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' layer with a convolution per group, as TensorFlow lacks their gradient on CPUs."""

    def convolution_op(self, inputs, kernel):
        """Convolves each group separately and concatenates the results."""
        parts = zip(
            tf.split(inputs, self.groups, axis=-1),
            tf.split(kernel, self.groups, axis=-1),
            strict=True,
        )
        padding = self.padding.upper()
        return tf.concat([tf.nn.conv2d(x, k, self.strides, padding) for x, k in parts], axis=-1)


@keras.saving.register_keras_serializable("inversenet_tf")
class LocalResponseNorm(keras.layers.Layer):
    """AlexNet's normalisation across five channels, in float32.

    Caffe divides its alpha of 1e-4 by the number of channels, five; TensorFlow does not.
    """

    def call(self, inputs):
        normalized = tf.nn.local_response_normalization(
            tf.cast(inputs, tf.float32), depth_radius=2, bias=1.0, alpha=1e-4 / 5, beta=0.75
        )
        return tf.cast(normalized, self.compute_dtype)


class FeatureNetwork(keras.Model):
    """Base of the networks below: they have a size and a last activation that can be left out.

    Args:
        size: side of the input: 227 or 224 for the AlexNets, at least 32 for the others.
        before_relu: leaves out the last ReLU.
        dtype: Keras dtype or policy of the hidden layers; the output is float32.

    Input: [batch, size, size, 3], preprocessed for the network. Output: [batch, features] float32.
    """

    def __init__(self, inputs, outputs, size, before_relu, dtype, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        self.size = size
        self.before_relu = before_relu
        self.hidden_dtype = dtype

    def get_config(self):
        return {
            "size": self.size,
            "before_relu": self.before_relu,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }


def _convolution(filters, kernel_size, name, *, linear=False, padding="same", **kwargs):
    """A convolution followed by ReLU, unless it is linear."""
    layer = GroupedConv2D if kwargs.get("groups", 1) > 1 else keras.layers.Conv2D
    activation = None if linear else "relu"
    return layer(filters, kernel_size, padding=padding, activation=activation, name=name, **kwargs)


def _fc6(x, before_relu, dtype):
    """The first fully connected layer of an AlexNet, on [batch, 6, 6, 256]."""
    x = keras.layers.Flatten(dtype=dtype)(x)
    x = keras.layers.Dense(4096, dtype=dtype, name="fc6")(x)
    activation = "linear" if before_relu else "relu"
    return keras.layers.Activation(activation, dtype="float32", name="features")(x)


def _check_only(size, only):
    if size != only:
        raise ValueError(f"Expected an AlexNet's size to be {only}. Received: {size}")


def _check_least(size):
    if size < LEAST_SIZE:
        raise ValueError(f"Expected a comparator's size >= {LEAST_SIZE}. Received: {size}")


@keras.saving.register_keras_serializable("inversenet_tf")
class AlexNet(FeatureNetwork):
    """BVLC's AlexNet up to FC6, the comparator of Appendix A.1.

    Input: BGR on 0..255 minus Caffe's mean. Output: 4096 features.
    """

    def __init__(self, size=227, before_relu=False, dtype=None, **kwargs):
        _check_only(size, 227)
        pool = {"pool_size": 3, "strides": 2, "dtype": dtype}

        # === Functional graph ===
        inputs = keras.Input((size, size, 3), name="images")
        x = _convolution(96, 11, "conv1", strides=4, padding="valid", dtype=dtype)(inputs)
        x = LocalResponseNorm(dtype=dtype, name="norm1")(x)
        x = keras.layers.MaxPooling2D(**pool, name="pool1")(x)
        x = _convolution(256, 5, "conv2", groups=2, dtype=dtype)(x)
        x = LocalResponseNorm(dtype=dtype, name="norm2")(x)
        x = keras.layers.MaxPooling2D(**pool, name="pool2")(x)
        x = _convolution(384, 3, "conv3", dtype=dtype)(x)
        x = _convolution(384, 3, "conv4", groups=2, dtype=dtype)(x)
        x = _convolution(256, 3, "conv5", groups=2, dtype=dtype)(x)
        x = keras.layers.MaxPooling2D(**pool, name="pool5")(x)
        outputs = _fc6(x, before_relu, dtype)
        super().__init__(inputs, outputs, size, before_relu, dtype, **kwargs)


@keras.saving.register_keras_serializable("inversenet_tf")
class TorchvisionAlexNet(FeatureNetwork):
    """torchvision's AlexNet up to `classifier.1`, its FC6: no groups, no LRN, fewer channels.

    Input: RGB in [0, 1], minus torchvision's mean, divided by its deviation. Output: 4096 features.
    """

    def __init__(self, size=224, before_relu=False, dtype=None, **kwargs):
        _check_only(size, 224)
        pool = {"pool_size": 3, "strides": 2, "dtype": dtype}

        # === Functional graph ===
        inputs = keras.Input((size, size, 3), name="images")
        x = keras.layers.ZeroPadding2D(2, dtype=dtype)(inputs)
        x = _convolution(64, 11, "conv1", strides=4, padding="valid", dtype=dtype)(x)
        x = keras.layers.MaxPooling2D(**pool, name="pool1")(x)
        x = _convolution(192, 5, "conv2", dtype=dtype)(x)
        x = keras.layers.MaxPooling2D(**pool, name="pool2")(x)
        x = _convolution(384, 3, "conv3", dtype=dtype)(x)
        x = _convolution(256, 3, "conv4", dtype=dtype)(x)
        x = _convolution(256, 3, "conv5", dtype=dtype)(x)
        x = keras.layers.MaxPooling2D(**pool, name="pool5")(x)
        outputs = _fc6(x, before_relu, dtype)
        super().__init__(inputs, outputs, size, before_relu, dtype, **kwargs)


@keras.saving.register_keras_serializable("inversenet_tf")
class SqueezeNet(FeatureNetwork):
    """SqueezeNet 1.1 without its head, up to fire9.

    Input: BGR on 0..255 minus Keras' mean. Output: 512 features per pixel of fire9: 4608 at
    size 64, 86528 at 224.

    Reference: Iandola et al., 2016, as published for Keras by rcmalli/keras-squeezenet.
    """

    def __init__(self, size=224, before_relu=False, dtype=None, **kwargs):
        _check_least(size)

        def fire(x, level, squeezed, expanded, linear=False):
            name = f"fire{level}"
            x = _convolution(squeezed, 1, f"{name}_squeeze1x1", dtype=dtype)(x)
            sides = [
                _convolution(
                    expanded, side, f"{name}_expand{side}x{side}", linear=linear, dtype=dtype
                )(x)
                for side in (1, 3)
            ]
            return keras.layers.Concatenate(dtype=dtype, name=f"{name}_concat")(sides)

        # === Functional graph ===
        inputs = keras.Input((size, size, 3), name="images")
        x = _convolution(64, 3, "conv1", strides=2, padding="valid", dtype=dtype)(inputs)
        x = keras.layers.MaxPooling2D(3, 2, dtype=dtype, name="pool1")(x)
        x = fire(fire(x, 2, 16, 64), 3, 16, 64)
        x = keras.layers.MaxPooling2D(3, 2, dtype=dtype, name="pool3")(x)
        x = fire(fire(x, 4, 32, 128), 5, 32, 128)
        x = keras.layers.MaxPooling2D(3, 2, dtype=dtype, name="pool5")(x)
        x = fire(fire(x, 6, 48, 192), 7, 48, 192)
        x = fire(fire(x, 8, 64, 256), 9, 64, 256, linear=before_relu)
        outputs = keras.layers.Flatten(dtype="float32", name="features")(x)
        super().__init__(inputs, outputs, size, before_relu, dtype, **kwargs)


@keras.saving.register_keras_serializable("inversenet_tf")
class VGG16(FeatureNetwork):
    """VGG16 up to block5_conv3, the alternative that Section 3.3 names.

    Its layers are those of keras.applications.VGG16, which takes no dtype.

    Input: BGR on 0..255 minus Keras' mean. Output: 512 features per pixel of block5: 8192 at
    size 64, 100352 at 224.
    """

    def __init__(self, size=224, before_relu=False, dtype=None, **kwargs):
        _check_least(size)

        # === Functional graph ===
        inputs = keras.Input((size, size, 3), name="images")
        x = inputs
        for block, (depth, width) in enumerate(VGG16_BLOCKS, start=1):
            for level in range(1, depth + 1):
                name = f"block{block}_conv{level}"
                linear = before_relu and name == "block5_conv3"
                x = _convolution(width, 3, name, linear=linear, dtype=dtype)(x)
            if block < len(VGG16_BLOCKS):
                x = keras.layers.MaxPooling2D(2, dtype=dtype, name=f"block{block}_pool")(x)
        outputs = keras.layers.Flatten(dtype="float32", name="features")(x)
        super().__init__(inputs, outputs, size, before_relu, dtype, **kwargs)
