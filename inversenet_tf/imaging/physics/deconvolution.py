"""Deconvolution with a known kernel in the Fourier domain, shared by the closed forms."""

import itertools

import numpy as np
import tensorflow as tf

# Sizes of fast Fourier transforms: even products of 2, 3 and 5.
LARGEST_SIDE = 2**20
GOOD_SIZES = np.array(
    sorted(
        2 * 2**i * 3**j * 5**k
        for i, j, k in itertools.product(range(20), range(13), range(9))
        if 2 * 2**i * 3**j * 5**k <= LARGEST_SIDE
    ),
    np.int32,
)


def good_size(least):
    """The smallest of `GOOD_SIZES` that is at least `least`."""
    sizes = tf.constant(GOOD_SIZES)
    return tf.reduce_min(tf.where(sizes >= least, sizes, LARGEST_SIDE))


def kernels_as_batch(kernels):
    """Kernels in any form that `solvers.solve` takes, as [1 or batch, height, width, channels]."""
    kernels = tf.convert_to_tensor(kernels, tf.float32)
    if len(kernels.shape) == 2:
        return kernels[tf.newaxis, ..., tf.newaxis]
    return kernels[tf.newaxis] if len(kernels.shape) == 3 else kernels


def centred(kernels, size):
    """Zero-pads kernels to a size, centred at the corner: [batch, channels, height, width]."""
    sides = tf.shape(kernels)[1:3]
    missing = size - sides
    padded = tf.pad(kernels, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
    rolled = tf.roll(padded, [-(sides[0] // 2), -(sides[1] // 2)], axis=(1, 2))
    return tf.transpose(rolled, [0, 3, 1, 2])


def channels_first(images):
    """[batch, height, width, channels] -> [batch, channels, height, width], for transforms."""
    return tf.transpose(images, [0, 3, 1, 2])


def channels_last(images):
    """The inverse of `channels_first`."""
    return tf.transpose(images, [0, 2, 3, 1])


class Deconvolution:
    """A = H: the estimate is a product of spectra, in the layout of `tf.signal.rfft2d`.

    If all channels share a kernel, they are rotated to be uncorrelated; otherwise each is
    restored independently.

    Args:
        kernels: [1 or batch, kernel height, kernel width, 1 or channels].
        spectrum: with as many channels as the images.
        size: [height, width] of the period.
    """

    def __init__(self, kernels, spectrum, size):
        covariance = np.asarray(spectrum.covariance)
        variances, axes = np.diag(covariance), np.eye(len(covariance))
        if kernels.shape[-1] == 1:
            variances, axes = np.linalg.eigh(covariance)
        self._axes = axes.astype(np.float32)
        variances = np.maximum(variances, 1e-6).astype(np.float32)[:, np.newaxis, np.newaxis]
        self._size = size
        self._transfer = tf.signal.rfft2d(centred(kernels, size))  # h
        self._adjoint = tf.math.conj(self._transfer)
        self._prior = variances * spectrum.power(size[0], size[1])  # S
        squared = tf.math.real(self._transfer) ** 2 + tf.math.imag(self._transfer) ** 2
        self._power = self._prior * squared

    def turned(self, residual):
        """[batch, height, width, channels] -> rotated [batch, channels, height, width]."""
        return _mixed(channels_first(residual), self._axes.T)

    def estimate(self, measured, noise):
        """The spectrum of the estimate, given that of the rotated measurement."""
        gain = self._prior / (self._power + noise)
        return self._adjoint * measured * tf.cast(gain, tf.complex64)

    def expected_error(self, noise):
        """The root of the mean posterior variance: [1 or batch]."""
        variance = self._prior / (self._power + noise) * noise
        # Each column of `rfft2d` stands for two, except the first and, for an even width, the last.
        columns = tf.range(self._size[1] // 2 + 1)
        single = (columns == 0) | (2 * columns == self._size[1])
        weights = tf.where(single, 1.0, 2.0)
        over_columns = tf.reduce_sum(variance * weights, axis=-1) / tf.reduce_sum(weights)
        return tf.sqrt(tf.reduce_mean(over_columns, axis=(1, 2)))

    def measured_again(self, measured, noise):
        """The blur of the estimate: [batch, channels, height, width], rotated."""
        ratio = self._power / (self._power + noise)
        return tf.signal.irfft2d(measured * tf.cast(ratio, tf.complex64), self._size)

    def images(self, estimate, frame):
        """The images with a spectrum, cropped to their upper left [height, width]."""
        turned = tf.signal.irfft2d(estimate, self._size)[..., : frame[0], : frame[1]]
        return channels_last(_mixed(turned, self._axes))


def _mixed(planes, matrix):
    """Multiplies the channels of [batch, channels, height, width] by a matrix from the left.

    Summing whole planes is several times as fast as working pixel by pixel.
    """
    rows = tf.reshape(planes, tf.concat([tf.shape(planes)[:2], [-1]], axis=0))
    return tf.reshape(tf.matmul(matrix, rows), tf.shape(planes))
