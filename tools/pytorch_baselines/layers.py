"""The layers of the paper's tables in PyTorch, with TensorFlow's padding and channel order.

Tensors are [batch, channels, height, width], in the memory of `channels_last` where the network is.
"""

from torch import nn

KERNEL_SIZE = 4
KERNEL_STDDEV = 0.02


def convolution(inputs, outputs, stride=1, transposed=False):
    """Conv(4, 4, inputs, outputs) with TensorFlow's padding "same", from N(0, 0.02).

    With stride 2, for even sides only, that padding is one pixel all around; with stride 1 it is
    one before and two behind.
    """
    if transposed:
        layer = nn.ConvTranspose2d(inputs, outputs, KERNEL_SIZE, stride, padding=1)
    else:
        padding = "same" if stride == 1 else 1
        layer = nn.Conv2d(inputs, outputs, KERNEL_SIZE, stride, padding)
    nn.init.normal_(layer.weight, std=KERNEL_STDDEV)
    nn.init.zeros_(layer.bias)
    return layer


def batch_norm(channels):
    """As Keras with momentum 0.9 and epsilon 1e-5, but PyTorch's running variance is unbiased."""
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)


def pixel_unshuffle(images, factor):
    """tf.nn.space_to_depth: [b, c, h, w] -> [b, r * r * c, h / r, w / r]; one copy of the images.

    `torch.nn.functional.pixel_unshuffle` orders the channels as c * r * r instead.
    """
    batch, channels, height, width = images.shape
    rows, columns, values = height // factor, width // factor, factor * channels
    x = images.permute(0, 2, 3, 1).reshape(batch, rows, factor, columns, values)
    x = x.transpose(2, 3).reshape(batch, rows, columns, factor * values)
    return x.permute(0, 3, 1, 2)


def pixel_shuffle(features, factor):
    """tf.nn.depth_to_space, which undoes `pixel_unshuffle`."""
    batch, channels, rows, columns = features.shape
    values = channels // factor
    x = features.permute(0, 2, 3, 1).reshape(batch, rows, columns, factor, values)
    x = x.transpose(2, 3).reshape(batch, rows * factor, columns * factor, values // factor)
    return x.permute(0, 3, 1, 2)
