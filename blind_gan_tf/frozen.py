"""Networks that are trained no more, rewritten so that they and their gradients cost less.

Batch normalisation that only applies its moving statistics is a factor and a summand for each
channel: they go into the kernel and the bias of the convolution before it. Convolutions from or to
very few channels, which TensorFlow does slowly, become others of the same arithmetic.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

SIZE = 4  # of the kernels
FEW = 4  # channels, up to which another way is faster


def frozen(network):
    """What an inference of a network computes, as a function of its inputs.

    Args:
        network: a Keras model. A chain of layers as in `blind_gan_tf.networks` is rewritten, with
            the weights it has now; any other is called as it is.

    Returns:
        Callable that returns `network(inputs, training=False)`, up to rounding.
    """
    layers = _chain(network)
    if layers is None:
        return lambda inputs: network(inputs, training=False)
    stages = []
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, CONVOLUTIONS):
            stages.append(_Convolution(layer, following if _is_norm(following) else None))
        elif isinstance(layer, keras.layers.LeakyReLU):
            stages.append(leaky_relu(layer.negative_slope))
        elif not (_is_norm(layer) and isinstance(stages[-1], _Convolution)):
            stages.append(layer)

    def run(inputs):
        for stage in stages:
            inputs = stage(inputs)
        return inputs

    return run


CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
OTHERS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.Activation, keras.layers.Reshape)


def _is_norm(layer):
    return isinstance(layer, keras.layers.BatchNormalization)


def _chain(network):
    """The layers of a network where they are a chain of those that are known here, else None."""
    if not isinstance(network, keras.Model) or len(network.inputs or ()) != 1:
        return None
    layers, before = network.layers[1:], network.inputs[0]
    for layer in layers:
        if isinstance(layer, CONVOLUTIONS):
            if not _is_plain(layer):
                return None
        elif not (_is_norm(layer) or isinstance(layer, OTHERS)):
            return None
        if len(layer._inbound_nodes) != 1 or layer.input is not before:
            return None
        before = layer.output
    return layers if network.outputs[0] is before else None


def _is_plain(layer):
    """Whether a convolution is one that `_Convolution` knows."""
    return (
        layer.strides in ((1, 1), (2, 2))
        and layer.kernel_size == (SIZE, SIZE)
        and layer.dilation_rate == (1, 1)
        and getattr(layer, "groups", 1) == 1
        and layer.data_format == "channels_last"
        and layer.activation is keras.activations.linear
        and getattr(layer, "output_padding", None) is None
    )


class _Convolution:
    """A 4 x 4 convolution, transposed or not, with the batch norm that may follow it."""

    def __init__(self, layer, norm):
        self._transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        self._dtype = layer.compute_dtype
        self._stride = layer.strides[0]
        self._padding = layer.padding.upper()
        kernel, bias = self._with_norm(layer, norm)
        self._kernel, self._bias = (tf.cast(x, self._dtype) for x in (kernel, bias))
        if kernel.shape[2] <= FEW:  # outputs where it is transposed, else inputs
            self._block_kernel = block_kernel(self._kernel, self._stride)

    def _with_norm(self, layer, norm):
        kernel = layer.kernel.numpy().astype(np.float64)
        bias = np.zeros(layer.filters)
        if layer.use_bias:
            bias += layer.bias.numpy()
        if norm is not None:
            factor = np.ones(layer.filters) / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
            if norm.scale:
                factor *= norm.gamma.numpy()
            kernel *= factor[:, None] if self._transposed else factor
            bias = (bias - norm.moving_mean.numpy()) * factor
            if norm.center:
                bias += norm.beta.numpy()
        return kernel, bias

    def __call__(self, features):
        features = tf.cast(features, self._dtype)
        way = self._grow if self._transposed else self._shrink
        return tf.nn.bias_add(way(features), self._bias)

    def _shrink(self, images):
        if self._is_fast(images.shape[-1], images.shape[1:3]):
            return self._shrunk_from_few(images)
        return tf.nn.conv2d(images, self._kernel, self._stride, self._padding)

    def _grow(self, features):
        height, width, channels = features.shape[1:]
        if (height, width) == (1, 1) and self._padding == "VALID":
            projection = tf.reshape(tf.transpose(self._kernel, [3, 0, 1, 2]), [channels, -1])
            outputs = tf.reshape(features, [-1, channels]) @ projection
            return tf.reshape(outputs, [-1, SIZE, SIZE, len(self._bias)])
        if self._is_fast(len(self._bias), (height, width)):
            return self._grown_to_few(features)
        beyond = 0 if self._padding == "SAME" else max(SIZE - self._stride, 0)
        sides = [self._stride * side + beyond for side in (height, width)]
        shape = [tf.shape(features)[0], *sides, len(self._bias)]
        return tf.nn.conv2d_transpose(features, self._kernel, shape, self._stride, self._padding)

    def _is_fast(self, channels, sides):
        """Whether images of few channels and these sides are made faster in blocks."""
        blocks = FEW_CHANNELS[self._stride].block
        return (
            self._padding == "SAME"
            and channels <= FEW
            and all(side % blocks == 0 for side in sides)
        )

    def _grown_to_few(self, features):
        @tf.custom_gradient
        def grown(features):
            def gradient(upstream):
                return tf.nn.conv2d(upstream, self._kernel, self._stride, "SAME")

            return transposed_to_few(features, self._block_kernel, self._stride), gradient

        return grown(features)

    def _shrunk_from_few(self, images):
        @tf.custom_gradient
        def shrunk(images):
            def gradient(upstream):
                return transposed_to_few(upstream, self._block_kernel, self._stride)

            return tf.nn.conv2d(images, self._kernel, self._stride, "SAME"), gradient

        return shrunk(images)


def leaky_relu(slope):
    """LeakyReLU whose gradient looks at its outputs, which have the inputs' signs.

    TensorFlow's own looks at the inputs, and by that keeps convolution, bias and activation from
    becoming one operation.
    """

    @tf.custom_gradient
    def activate(features):
        outputs = tf.nn.leaky_relu(features, slope)

        def gradient(upstream):
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=outputs, alpha=slope)

        return outputs, gradient

    return activate


@dataclasses.dataclass(frozen=True)
class Blocks:
    """How a transposed convolution of a stride is a plain one that returns blocks of pixels.

    Attributes:
        block: side of a block in pixels.
        first: pixels of the first block that are before the image.
        before, after: features that are zero around those there are.
        reach: features, in a row, of which a block is made.
    """

    block: int
    first: int
    before: int
    after: int
    reach: int


# With stride 2 no product is wasted; with stride 1 larger blocks make for more channels.
FEW_CHANNELS = {2: Blocks(2, 1, 1, 1, 2), 1: Blocks(4, 0, 2, 1, 7)}


def transposed_to_few(features, kernel, stride):
    """`tf.nn.conv2d_transpose` with padding "SAME", for a kernel of `block_kernel`.

    Processors work on many channels at once, also where there are one or three; here the pixels of
    a block are channels.
    """
    blocks = FEW_CHANNELS[stride]
    around = [[0, 0], *[[blocks.before, blocks.after]] * 2, [0, 0]]
    found = tf.nn.conv2d(tf.pad(features, around), kernel, blocks.block // stride, "VALID")
    found = tf.nn.depth_to_space(found, blocks.block)
    height, width = (stride * side for side in features.shape[1:3])
    first = blocks.first
    return found[:, first : first + height, first : first + width]


def block_kernel(kernel, stride):
    """[4, 4, few, channels] -> [reach, reach, channels, block * block * few].

    Pixel v of a block is made of feature m by row v - first + stride * (before - m) + 1.
    """
    blocks = FEW_CHANNELS[stride]
    few, channels = kernel.shape[2:]
    m, v, row = np.ogrid[: blocks.reach, : blocks.block, :SIZE]
    chosen = row == v - blocks.first + stride * (blocks.before - m) + 1
    chosen = tf.cast(chosen, kernel.dtype)
    placed = tf.einsum("mvr,nwc,rcoi->mnivwo", chosen, chosen, kernel)
    return tf.reshape(placed, [blocks.reach, blocks.reach, channels, -1])
