"""Applies several surrogates of one architecture at once, with their weights stacked.

What depends on the weights alone is computed separately from what depends on the images alone: the
steps of a phase change only one of the two, so the other is computed once. Letters in shape
comments: c copies (surrogates), b images of each, k kernel size.
"""

import numpy as np
import tensorflow as tf

from blind_gan_tf.surrogate import LinearConvolution, MixingNetwork
from inversenet_tf.imaging.physics.operators import pad

AT_ONCE = 2**24  # values of a hidden layer: 64 MiB
BLOCK = 4  # pixels: 4 x 4 of 3 channels are 48 channels, which processors use better than 3


def stacked(template):
    """An object with the methods of `AnyModels` that applies many models like `template`."""
    kind = {LinearConvolution: LinearConvolutions, MixingNetwork: MixingNetworks}
    return kind.get(type(template), AnyModels)(template)


class AnyModels:
    """Applies models of any architecture, one after another.

    Args:
        template: a built Keras model.
    """

    def __init__(self, template):
        self._template = template

    def prepared(self, weights):
        """What is computed from the trainable weights alone, a list of tensors [c, ...]."""
        return weights

    def arranged(self, images):
        """What is computed from the images [c, b, height, width, channels] alone."""
        return images

    def apply(self, weights, images):
        """Measurements [c, b, height, width, measured channels] from the two methods' results."""
        fixed = [variable.value for variable in self._template.non_trainable_variables]
        return tf.stack(
            [
                self._template.stateless_call([stack[i] for stack in weights], fixed, images[i])[0]
                for i in range(images.shape[0])
            ]
        )


class LinearConvolutions:
    """Applies `LinearConvolution`s, with the two convolutions of each combined into one.

    One kernel of 2 k - 1 pixels has fewer weights than two of k with many channels between them,
    and gives the same measurements. It is applied to blocks of pixels, as if each block were a
    pixel with many channels.
    """

    def __init__(self, template):
        self._size = template.options["kernel_size"]
        self._boundary = template.options["boundary"]
        self._paths = block_paths(self._size)

    def prepared(self, weights):
        """Kernels of blocks [c, rows, columns, block of images, block of measurements]."""
        first, second = weights  # [c, k, k, images' channels, f], [c, k, k, f, channels]
        copies, size, _, inputs, filters = first.shape
        outputs = second.shape[-1]
        pairs = size * size * inputs, size * size * outputs
        second = tf.reshape(tf.transpose(second, [0, 3, 1, 2, 4]), [copies, filters, pairs[1]])
        products = tf.reshape(first, [copies, pairs[0], filters]) @ second
        products = tf.reshape(products, [copies, size, size, inputs, size, size, outputs])
        # Maps pairs of rows of the two kernels to their places in the block kernel.
        products = tf.transpose(products, [1, 4, 0, 2, 5, 3, 6])  # rows; c, columns, channels
        products = tf.reshape(products, [size * size, -1])
        placed = tf.reshape(self._paths @ products, [-1, copies, size * size, inputs * outputs])
        placed = tf.transpose(placed, [2, 1, 0, 3])
        placed = self._paths @ tf.reshape(placed, [size * size, -1])
        reach = (size + 1) // 2
        placed = tf.reshape(
            placed, [reach, BLOCK, BLOCK, copies, reach, BLOCK, BLOCK, inputs, outputs]
        )  # columns; c, rows, channels
        placed = tf.transpose(placed, [3, 4, 0, 5, 1, 7, 6, 2, 8])
        block = BLOCK * BLOCK
        return tf.reshape(placed, [copies, reach, reach, block * inputs, block * outputs])

    def arranged(self, images):
        """(padded images in blocks [c, b, rows, columns, channels], (height, width))."""
        copies, batch = images.shape[:2]
        flat = tf.reshape(images, [-1, *images.shape[2:]])
        reach = (self._size - 1, self._size - 1)
        wide = pad(flat, reach, reach, self._boundary)
        # To whole blocks; `apply` cuts off what lies beyond the image.
        missing = [-side % BLOCK for side in wide.shape[1:3]]
        if any(missing):
            wide = tf.pad(wide, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
        blocks = tf.nn.space_to_depth(wide, BLOCK)
        return tf.reshape(blocks, [copies, batch, *blocks.shape[1:]]), images.shape[2:4]

    def apply(self, kernels, arranged):
        """The measurements of every copy."""
        blocks, (height, width) = arranged
        measured = [
            tf.nn.depth_to_space(tf.nn.conv2d(own, kernel, 1, "VALID"), BLOCK)
            for own, kernel in zip(tf.unstack(blocks), tf.unstack(kernels), strict=True)
        ]
        return tf.stack(measured)[:, :, :height, :width]


def block_paths(size):
    """Which rows a, b of two kernels connect row p of the input to row q of a block: p - q = a + b.

    Args:
        size: k.

    Returns:
        [p * q, a * b] of zeros and ones, p < 2 (k + 1), q < BLOCK.
    """
    rows = 2 * (size + 1)
    p, q, a, b = np.ogrid[:rows, :BLOCK, :size, :size]
    return (p - q == a + b).astype(np.float32).reshape(rows * BLOCK, size * size)


class MixingNetworks:
    """Applies `MixingNetwork`s by batched matrix products, or copy by copy where they are large."""

    def __init__(self, template):
        self._units = template.options["units"]

    def prepared(self, weights):
        """The weights of both layers; the first layer's biases are those of one more source."""
        first, first_bias, second, second_bias = weights
        return tf.concat([first, first_bias[:, None]], 1), second, second_bias[:, None]

    def arranged(self, images):
        """(pixels [c, b * height * width, s], their original shape, whether all fit at once)."""
        pixels = tf.reshape(images, [images.shape[0], -1, images.shape[-1]])
        at_once = pixels.shape[0] * pixels.shape[1] * self._units <= AT_ONCE
        return with_white(pixels) if at_once else pixels, images.shape[1:4], at_once

    def apply(self, kernels, arranged):
        """The measurements of every copy."""
        pixels, shape, at_once = arranged
        if at_once:
            measured = mixed(pixels, *kernels)
        else:
            measured = tf.map_fn(
                lambda one: mixed(with_white(one[0]), *one[1:]),
                (pixels, *kernels),
                parallel_iterations=1,
                fn_output_signature=pixels.dtype,
            )
        return tf.reshape(measured, [pixels.shape[0], *shape, -1])


def with_white(pixels):
    """[..., s] -> [..., s + 1]: adds a source that is 1 everywhere."""
    return tf.concat([pixels, tf.ones_like(pixels[..., :1])], -1)


def mixed(pixels, first, second, bias):
    """The two layers of a mixing network; `first` holds its biases as its last row."""
    return tf.nn.relu(pixels @ first) @ second + bias
