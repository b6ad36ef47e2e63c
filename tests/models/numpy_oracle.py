"""Tables 3 and 4 as forward passes in NumPy: an oracle that shares no code with the networks."""

import numpy as np

EPSILON = 1e-5  # of batch norm, Appendix A.1


def convolve(images, layer, stride):
    """A 4 x 4 convolution with zeros around the image, as much as keeps or halves its size."""
    kernel, bias = layer.get_weights()
    after = 1 if stride == 2 else 2
    padded = np.pad(images, ((0, 0), (1, after), (1, after), (0, 0)))
    height, width = images.shape[1] // stride, images.shape[2] // stride
    result = np.zeros((len(images), height, width, kernel.shape[-1])) + bias
    for row in range(4):
        for column in range(4):
            rows = slice(row, row + stride * height, stride)
            columns = slice(column, column + stride * width, stride)
            result += padded[:, rows, columns] @ kernel[row, column]
    return result


def convolve_transposed(images, layer):
    """The adjoint of a 4 x 4 convolution of stride 2: it doubles the size."""
    kernel, bias = layer.get_weights()  # [4, 4, filters, channels]
    batch, height, width, _ = images.shape
    result = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for row in range(4):
        for column in range(4):
            rows, columns = slice(row, row + 2 * height, 2), slice(column, column + 2 * width, 2)
            result[:, rows, columns] += images @ kernel[row, column].T
    return result[:, 1:-1, 1:-1] + bias


def normalise(x, layer):
    gamma, beta, mean, variance = layer.get_weights()
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def unshuffle(x, factor):
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height // factor, factor, width // factor, factor, channels)
    blocks = blocks.transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, height // factor, width // factor, factor**2 * channels)


def shuffle(x, factor):
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height, width, factor, factor, channels // factor**2)
    blocks = blocks.transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, height * factor, width * factor, channels // factor**2)


def unet(network, images, skip=False):
    """Table 3: LeakyReLU 0.2 going down, ReLU coming up, skips before their activation."""
    layer = network.get_layer
    encoded = [convolve(images, layer("e1"), 2)]
    for level in range(2, network.depth + 1):
        x = np.where(encoded[-1] > 0, encoded[-1], 0.2 * encoded[-1])
        encoded.append(normalise(convolve(x, layer(f"e{level}_conv"), 2), layer(f"e{level}")))
    x = encoded.pop()
    for level in range(1, network.depth):
        x = convolve_transposed(np.maximum(x, 0), layer(f"d{level}_conv"))
        x = np.concatenate([normalise(x, layer(f"d{level}_norm")), encoded.pop()], axis=-1)
    x = np.tanh(convolve_transposed(np.maximum(x, 0), layer(f"d{network.depth}_conv")))
    return images[..., : network.channels] + x if skip else x


def dae(network, inverted, measurements=None):
    """Table 4 with the last layer linear and tanh: six stride-1 convolutions on the inner grid."""
    layer = network.get_layer
    x = unshuffle(inverted, network.factor)
    for index in range(1, 6):
        if index == 4 and measurements is not None:
            y = measurements
            if network.condition == "shuffled":
                y = unshuffle(y, network.factor)
            x = np.concatenate([x, y], axis=-1)
        x = np.maximum(normalise(convolve(x, layer(f"conv{index}"), 1), layer(f"norm{index}")), 0)
    x = np.tanh(shuffle(convolve(x, layer("conv6"), 1), network.factor))
    return inverted + x if network.global_skip else x
