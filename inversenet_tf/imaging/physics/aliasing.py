"""Eq. 3 in closed form for measurements that are smaller than the image, or gray.

Each frequency of a measurement downsampled by d is the sum of d^2 frequencies of the image, its
aliases; a gray measurement also sums the channels.
"""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.deconvolution import centred, channels_first, channels_last
from inversenet_tf.imaging.physics.spectra import Spectrum


def estimate(
    residual: tf.Tensor,
    kernels: tf.Tensor,
    noise: tf.Tensor,
    spectrum: Spectrum,
    *,
    scale: int,
    phase: int,
    to_gray: bool,
) -> tf.Tensor:
    """S A^T (A S A^T + sigma^2)^-1 (y - A mu), a gain of S h* / (power of y) at each frequency.

    Args:
        residual: y - A mu, [batch, height, width, 1 or channels].
        kernels: [1 or batch, kernel height, kernel width, 1 or channels].
        noise: variance of the noise, [1 or batch, 1, 1, 1].
        spectrum: with as many channels as the images.
        scale, phase, to_gray: as for `solvers.solve`.

    Returns:
        float32 [batch, height * scale, width * scale, channels].
    """
    terms = _gray_terms if to_gray else _upsampled_terms
    size = tf.shape(residual)[1:3] * scale
    seen, prior, power = terms(kernels, noise, spectrum, size, scale, phase)
    measured = tf.signal.fft2d(tf.cast(channels_first(residual), tf.complex64))
    weighted = _repeat_aliases(measured / tf.cast(power, tf.complex64), scale)
    spectra = tf.cast(prior, tf.complex64) * seen * weighted
    return channels_last(tf.math.real(tf.signal.ifft2d(spectra)))


def expected_error(
    kernels: tf.Tensor,
    noise: tf.Tensor,
    spectrum: Spectrum,
    size: tf.Tensor,
    *,
    scale: int,
    phase: int,
    to_gray: bool,
) -> tf.Tensor:
    """The root of the mean posterior variance of images: [1 or batch].

    `size` is the [height, width] of the images; the other arguments are as for `estimate`.
    """
    terms = _gray_terms if to_gray else _upsampled_terms
    seen, prior, power = terms(kernels, noise, spectrum, size, scale, phase)
    explained = (prior * tf.abs(seen)) ** 2 / _repeat_aliases(power, scale)
    own = np.diag(np.asarray(spectrum.covariance, np.float32))[:, np.newaxis, np.newaxis]
    variance = (own if to_gray else 1.0) * prior - explained  # of each channel and frequency
    return tf.sqrt(tf.maximum(tf.reduce_mean(variance, axis=(1, 2, 3)), 0.0))


def _upsampled_terms(kernels, noise, spectrum, size, scale, phase):
    """A = S H, with the channels independent.

    Returns:
        (h*, [1 or batch, 1 or channels, height * scale, width * scale]; S at these frequencies; the
        power of y, [1 or batch, 1 or channels, height, width]).
    """
    variances = np.diag(np.asarray(spectrum.covariance)).astype(np.float32)
    transfer = _sampled_transfer(kernels, size, scale, phase)
    prior = variances[:, np.newaxis, np.newaxis] * spectrum.full_power(size[0], size[1])
    squared = tf.math.real(transfer) ** 2 + tf.math.imag(transfer) ** 2
    power = _sum_of_aliases(prior * squared, size, scale) + noise / scale**2
    return tf.math.conj(transfer), prior, power


def _gray_terms(kernels, noise, spectrum, size, scale, phase):
    """A = L S H: the estimate of a channel depends on its covariances with the others.

    Returns:
        As `_upsampled_terms`, but R h* in place of h*, R being the covariance of the channels.
    """
    covariance = np.asarray(spectrum.covariance, np.float32)
    channels = len(covariance)
    transfer = _sampled_transfer(kernels, size, scale, phase) / channels
    transfer = tf.broadcast_to(
        transfer, tf.concat([tf.shape(transfer)[:1], [channels], tf.shape(transfer)[2:]], 0)
    )
    prior = spectrum.full_power(size[0], size[1])
    # What the measurement tells about each channel.
    seen = tf.einsum("ck,bkij->bcij", tf.cast(covariance, tf.complex64), tf.math.conj(transfer))
    power = tf.math.real(tf.reduce_sum(transfer * seen, axis=1, keepdims=True)) * prior
    return seen, prior, _sum_of_aliases(power, size, scale) + noise / scale**2


def _sampled_transfer(kernels, size, scale, phase):
    """h(f) exp(2 pi i f phase) / d^2: how much of an image frequency appears in its alias in y."""
    shifted = tf.roll(centred(kernels, size), [-phase, -phase], axis=(2, 3))
    return tf.signal.fft2d(tf.cast(shifted, tf.complex64)) / scale**2


def _sum_of_aliases(values, size, scale):
    """Sums [batch, channels, height, width] over the frequencies that y cannot tell apart."""
    if scale == 1:
        return values
    height, width = size[0] // scale, size[1] // scale
    shape = tf.concat([tf.shape(values)[:2], [scale, height, scale, width]], 0)
    return tf.reduce_sum(tf.reshape(values, shape), axis=(2, 4))


def _repeat_aliases(values, scale):
    return tf.tile(values, [1, 1, scale, scale]) if scale > 1 else values
