"""Convolutions with constant weights: a Keras layer and the batch norm after it in one."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

SIZE = 4  # of the kernels with special treatment: those of the papers' tables and of DCGAN
FEW = 4  # up to so many channels, convolution by blocks is faster


class FoldedConvolution:
    """Computes a convolution, transposed or not, together with a batch norm that follows it.

    Args:
        layer: a `keras.layers.Conv2D` or `Conv2DTranspose`, channels last.
        norm: a `BatchNormalization` of its output, or None.
        differentiable: as for `frozen`.
    """

    def __init__(self, layer, norm=None, differentiable=False):
        self._layer = layer
        self._differentiable = differentiable
        self._transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        self._dtype = layer.compute_dtype
        self._stride = layer.strides[0]
        dtype = tf.as_dtype(self._dtype).as_numpy_dtype
        # An array becomes a constant of each graph; a tensor is shared between graphs, such as
        # those of the phases of a search.
        keep = tf.constant if differentiable else np.asarray
        kernel, bias = (values.astype(dtype) for values in self._with_norm(layer, norm))
        self._kernel, self._bias = keep(kernel), keep(bias)
        if self._is_plain() and (self._transposed or differentiable):
            self._block_kernel = keep(block_kernel(kernel, self._stride).astype(dtype))

    def _with_norm(self, layer, norm):
        kernel = np.array(layer.kernel, np.float64)
        bias = np.zeros(layer.filters)
        if layer.use_bias:
            bias += np.array(layer.bias, np.float64)
        if norm is not None:
            factor = 1.0 / np.sqrt(np.array(norm.moving_variance, np.float64) + norm.epsilon)
            if norm.scale:
                factor *= np.array(norm.gamma)
            kernel *= factor[:, None] if self._transposed else factor
            bias = (bias - np.array(norm.moving_mean)) * factor
            if norm.center:
                bias += np.array(norm.beta)
        return kernel, bias

    def _is_plain(self):
        """Whether `transposed_by_blocks` can compute the layer or its adjoint."""
        layer = self._layer
        return (
            layer.strides in ((1, 1), (2, 2))
            and layer.kernel_size == (SIZE, SIZE)
            and layer.padding == "same"
            and layer.dilation_rate == (1, 1)
            and getattr(layer, "groups", 1) == 1
            and getattr(layer, "output_padding", None) is None
        )

    def __call__(self, features):
        features = tf.cast(features, self._dtype)
        outputs = self._grown(features) if self._transposed else self._convolved(features)
        return self._layer.activation(outputs)

    def _convolved(self, images):
        if self._differentiable and self._is_fast(images.shape[-1], images.shape[1:3]):
            outputs = self._shrunk_from_few(images)
        else:
            outputs = self._as_the_layer(keras.ops.conv, images)
        return tf.nn.bias_add(outputs, self._bias)

    def _grown(self, features):
        sides, channels = features.shape[1:3], features.shape[-1]
        if self._is_projection(sides):
            projection = tf.reshape(tf.transpose(self._kernel, [3, 0, 1, 2]), [channels, -1])
            outputs = tf.reshape(features, [-1, channels]) @ projection
            outputs = tf.reshape(outputs, [-1, *self._kernel.shape[:3]])
        elif self._is_fast(self._layer.filters, sides):
            return self._grown_by_blocks(features)
        else:
            padding = {"output_padding": self._layer.output_padding}
            outputs = self._as_the_layer(keras.ops.conv_transpose, features, **padding)
        return tf.nn.bias_add(outputs, self._bias)

    def _is_projection(self, sides):
        """Whether the input is a single pixel, so that the layer is a matrix product."""
        layer = self._layer
        return (
            tuple(sides) == (1, 1)
            and (layer.padding, layer.dilation_rate, layer.output_padding)
            == ("valid", (1, 1), None)
            and max(layer.strides) <= min(layer.kernel_size)
        )

    def _as_the_layer(self, operation, features, **options):
        layer = self._layer
        return operation(
            features,
            tf.convert_to_tensor(self._kernel),
            strides=list(layer.strides),
            padding=layer.padding,
            data_format=layer.data_format,
            dilation_rate=layer.dilation_rate,
            **options,
        )

    def _is_fast(self, channels, sides):
        """Whether blocks are faster for images with so many channels and these sides."""
        if not self._is_plain():
            return False
        if self._stride == 2 and self._transposed:
            return True
        blocks = BLOCKS[self._stride].block
        return channels <= FEW and all(side is not None and side % blocks == 0 for side in sides)

    def _grown_by_blocks(self, features):
        def grow(features):
            return transposed_by_blocks(features, self._block_kernel, self._stride, self._bias)

        @tf.custom_gradient
        def grown(features):
            def gradient(upstream):
                return tf.nn.conv2d(upstream, self._kernel, self._stride, "SAME")

            return grow(features), gradient

        return (grown if self._differentiable else grow)(features)

    def _shrunk_from_few(self, images):
        @tf.custom_gradient
        def shrunk(images):
            def gradient(upstream):
                return transposed_by_blocks(upstream, self._block_kernel, self._stride)

            return tf.nn.conv2d(images, self._kernel, self._stride, "SAME"), gradient

        return shrunk(images)


def leaky_relu(slope):
    """Returns a LeakyReLU whose gradient depends on the outputs, which have the inputs' signs.

    The gradient of TensorFlow's own depends on the inputs, which keeps TensorFlow from fusing
    convolution, bias and activation.
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
    """How to compute a transposed convolution as a plain one that returns blocks of pixels.

    Attributes:
        block: side of a block in pixels.
        outside: pixels of the first block before the image, and of the last block after it.
        before, after: zeros to pad the features with.
        reach: number of features along an axis from which a block is computed.
    """

    block: int
    outside: int
    before: int
    after: int
    reach: int


# By stride. With 2 no product is wasted; with 1 larger blocks give more channels.
BLOCKS = {2: Blocks(2, 1, 1, 1, 2), 1: Blocks(4, 0, 2, 1, 7)}


def transposed_by_blocks(features, kernel, stride, bias=None):
    """Computes `tf.nn.conv2d_transpose` with padding "SAME", given a kernel of `block_kernel`.

    Processors work on many channels at once even where there are only one or three, so here the
    pixels of a block become channels. Also, a plain convolution uses its kernel as it is, whereas
    TensorFlow rearranges that of a transposed one at every call.

    Args:
        features: [batch, height, width, channels]; for stride 1, both sides are multiples of 4.
        kernel, stride: see `block_kernel`.
        bias: [channels of the result], or None.
    """
    blocks = BLOCKS[stride]
    around = [[0, 0], *[[blocks.before, blocks.after]] * 2, [0, 0]]
    values = tf.nn.conv2d(features, kernel, blocks.block // stride, around)
    if bias is not None:
        values = tf.nn.bias_add(values, tf.tile(bias, [blocks.block**2]))
    values = tf.nn.depth_to_space(values, blocks.block)
    inside = slice(blocks.outside, -blocks.outside or None)
    return values[:, inside, inside]


def block_kernel(kernel, stride):
    """Rearranges a kernel: [4, 4, few, channels] -> [reach, reach, channels, block * block * few].

    Row v - outside + stride * (before - m) + 1 of a kernel maps feature m to pixel v of a block.
    """
    blocks = BLOCKS[stride]
    few, channels = kernel.shape[2:]
    m, v = np.ogrid[: blocks.reach, : blocks.block]
    rows = v - blocks.outside + stride * (blocks.before - m) + 1
    rows = np.where((rows >= 0) & (rows < SIZE), rows, SIZE)  # the row of zeros after the kernel
    padded = np.pad(np.asarray(kernel), [[0, 1], [0, 1], [0, 0], [0, 0]])
    placed = padded[rows[:, None, :, None], rows[None, :, None, :]]  # m, n, v, w, few, channels
    placed = placed.transpose(0, 1, 5, 2, 3, 4)
    return placed.reshape(blocks.reach, blocks.reach, channels, blocks.block**2 * few)
