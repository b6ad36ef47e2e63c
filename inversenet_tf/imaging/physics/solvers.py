"""Eq. 3 in closed form: the linear estimate of least mean square error for a known operator.

For images with mean mu and covariance S, and white noise of variance sigma^2,

    z = mu + S A^T (A S A^T + sigma^2)^-1 (y - A mu).

With a circular boundary a blur is diagonal in the Fourier domain, its downsampling by d adds d^2
aliases, and the mean over the channels adds channels; so the inverse is a division.
"""

import tensorflow as tf

from inversenet_tf.imaging.physics import aliasing
from inversenet_tf.imaging.physics.borders import extended_periodically, with_frame
from inversenet_tf.imaging.physics.deconvolution import Deconvolution, good_size, kernels_as_batch
from inversenet_tf.imaging.physics.spectra import Spectrum

# What to multiply a noise variance by: images are no Gaussian process, and on the photographs that
# the package trains on 3 is better than 1 (32.90 dB instead of 32.76; 1 to 40 were tried).
ASSUMED_NOISE = 3.0
# Noise variances, as multiples of the true one, through which the border is filled in.
LADDER = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)


def solve(
    measurements: tf.Tensor,
    kernels: tf.Tensor,
    noise_variance: tf.Tensor,
    spectrum: Spectrum,
    *,
    scale: int = 1,
    phase: int = 0,
    to_gray: bool = False,
) -> tf.Tensor:
    """The linear estimate of images from their measurements, the boundary being circular.

    Args:
        measurements: float32 [batch, height, width, channels], of any height and width.
        kernels: [kernel height, kernel width] for all, [kernel height, kernel width, channels], or
            [batch, kernel height, kernel width, 1 or channels]; centred at (height // 2,
            width // 2), and no larger than the image.
        noise_variance: a scalar, or [batch].
        spectrum: of the images; of their number of channels, or of one.
        scale: image pixels, along each side, to a measurement pixel.
        phase: the first of the pixels that downsampling keeps, see `Downsampling`.
        to_gray: whether the measurement is the mean over three channels.

    Returns:
        float32 [batch, height * scale, width * scale, image channels], not clipped.
    """
    settings = {"scale": scale, "phase": phase, "to_gray": to_gray}
    return solve_at(measurements, kernels, noise_variance, spectrum, (1.0,), **settings)[0]


def solve_at(
    measurements: tf.Tensor,
    kernels: tf.Tensor,
    noise_variance: tf.Tensor,
    spectrum: Spectrum,
    factors: tuple[float, ...],
    *,
    scale: int = 1,
    phase: int = 0,
    to_gray: bool = False,
) -> list[tf.Tensor]:
    """The estimates of `solve` for several multiples of the noise variance.

    Of a blur alone, what does not depend on the noise, as the transforms of kernels and
    measurements, is computed once.

    Args:
        factors: of the noise variance; the other arguments are those of `solve`.

    Returns:
        An estimate for each factor.
    """
    if scale == 1 and not to_gray:
        return _on_a_circle(measurements, kernels, noise_variance, spectrum, factors)[0]
    channels = 3 if to_gray else measurements.shape[-1]
    spectrum = spectrum.for_channels(channels)
    kernels = kernels_as_batch(kernels)
    mean = tf.constant(spectrum.mean, tf.float32)
    noise = _as_noise(noise_variance)
    residual = tf.cast(measurements, tf.float32) - _measured_mean(mean, kernels, to_gray)
    settings = {"scale": scale, "phase": phase, "to_gray": to_gray}
    return [
        mean + aliasing.estimate(residual, kernels, factor * noise, spectrum, **settings)
        for factor in factors
    ]


def _on_a_circle(measurements, kernels, noise_variance, spectrum, factors):
    """(the estimates of `solve_at` where the measurement is no smaller, the `Deconvolution`)."""
    kernels, spectrum = kernels_as_batch(kernels), spectrum.for_channels(measurements.shape[-1])
    mean, noise = tf.constant(spectrum.mean, tf.float32), _as_noise(noise_variance)
    size = tf.shape(measurements)[1:3]
    residual = tf.cast(measurements, tf.float32) - _measured_mean(mean, kernels)
    deconvolution = Deconvolution(kernels, spectrum, size)
    measured = tf.signal.rfft2d(deconvolution.turned(residual))
    spectra = [deconvolution.estimate(measured, factor * noise) for factor in factors]
    return [mean + deconvolution.images(each, size) for each in spectra], deconvolution


def solve_without_border(
    measurements: tf.Tensor,
    kernels: tf.Tensor,
    noise_variance: tf.Tensor,
    spectrum: Spectrum,
    factors: tuple[float, ...] = (1.0,),
) -> list[tf.Tensor]:
    """The same for a camera's blur, where nothing is known of the image beyond the frame.

    Where the circular form would see the opposite border right behind the last pixel, and let it
    ring through the image, the measurement goes on into a margin. What stands there is at first
    the mirrored image, and then, rung by rung of a ladder of falling noise variances, what the
    estimate of the rung before would have measured there.

    Args:
        measurements, kernels, noise_variance, spectrum: as for `solve`, of scale 1.
        factors: of the noise variance, at which an estimate is asked for.

    Returns:
        An estimate for each factor, float32 of the shape of the measurements.
    """
    return _without_border(measurements, kernels, noise_variance, spectrum, factors)[0]


def period_of(kernels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """[height, width] of the period in which `solve_without_border` solves for images of a size."""
    side = tf.reduce_max(tf.shape(kernels_as_batch(kernels))[1:3])
    least = 2 * (side + side % 2) + 16
    return tf.stack([good_size(size[axis] + least) for axis in (0, 1)])


def _without_border(measurements, kernels, noise_variance, spectrum, factors):
    """(what `solve_without_border` gives, the `Deconvolution`)."""
    kernels = kernels_as_batch(kernels)
    spectrum = spectrum.for_channels(measurements.shape[-1])
    mean, noise = tf.constant(spectrum.mean, tf.float32), _as_noise(noise_variance)
    size = tf.shape(measurements)[1:3]
    period = period_of(kernels, size)
    deconvolution = Deconvolution(kernels, spectrum, period)
    padded = extended_periodically(measurements, period - size) - _measured_mean(mean, kernels)
    padded = deconvolution.turned(padded)
    frame = padded[..., : size[0], : size[1]]
    estimates = {}
    *before, last = sorted({*LADDER, *factors}, reverse=True)
    for factor in (*before, last):
        measured = tf.signal.rfft2d(padded)
        if factor in factors:
            estimate = deconvolution.estimate(measured, factor * noise)
            estimates[factor] = mean + deconvolution.images(estimate, size)
        if factor != last:
            again = deconvolution.measured_again(measured, factor * noise)
            padded = with_frame(again, frame)
    return [estimates[factor] for factor in factors], deconvolution


def estimates_and_error(
    measurements: tf.Tensor,
    kernels: tf.Tensor,
    noise_variance: tf.Tensor,
    spectrum: Spectrum,
    factors: tuple[float, ...],
    *,
    boundary: str,
    scale: int = 1,
    phase: int = 0,
    to_gray: bool = False,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """What `solve_at` or `solve_without_border` gives, and how far the first is expected to be off.

    Args:
        measurements, kernels, noise_variance, spectrum, factors, scale, phase, to_gray: as there.
        boundary: "circular" for the first of them, "reflect" for the second, of a blur alone.

    Returns:
        (an estimate for each factor, the `expected_error` of the first one, of a blur for the
        period in which it was found).
    """
    arguments = measurements, kernels, noise_variance, spectrum, factors
    noise = factors[0] * _as_noise(noise_variance)
    if scale == 1 and not to_gray:
        form = _on_a_circle if boundary == "circular" else _without_border
        estimates, deconvolution = form(*arguments)
        return estimates, deconvolution.expected_error(noise)
    settings = {"scale": scale, "phase": phase, "to_gray": to_gray}
    size = tf.shape(measurements)[1:3] * scale
    spectrum = spectrum.for_channels(3 if to_gray else measurements.shape[-1])
    error = expected_error(kernels, noise, spectrum, size, **settings)
    return solve_at(*arguments, **settings), error


def expected_error(
    kernels: tf.Tensor,
    noise_variance: tf.Tensor,
    spectrum: Spectrum,
    size: tf.Tensor,
    *,
    scale: int = 1,
    phase: int = 0,
    to_gray: bool = False,
) -> tf.Tensor:
    """The error that the estimate of `solve` leaves of images that are as the spectrum says.

    It is the posterior standard deviation, of a blur the root of the mean over frequencies f and
    channels of S(f) sigma^2 / (|h(f)|^2 S(f) + sigma^2). It depends on the operator and the noise
    alone.

    Args:
        kernels, noise_variance, scale, phase, to_gray: as for `solve`.
        spectrum: of as many channels as the images; of a blur one may do.
        size: [height, width] of the image, or of the period.

    Returns:
        float32 [1 or batch], in the units of the images.
    """
    kernels, noise = kernels_as_batch(kernels), _as_noise(noise_variance)
    if scale == 1 and not to_gray:
        return Deconvolution(kernels, spectrum, size).expected_error(noise)
    settings = {"scale": scale, "phase": phase, "to_gray": to_gray}
    return aliasing.expected_error(kernels, noise, spectrum, size, **settings)


def _measured_mean(mean, kernels, to_gray=False):
    """A mu: [1 or batch, 1, 1, channels]."""
    measured = mean * tf.reduce_sum(kernels, axis=(1, 2), keepdims=True)
    return tf.reduce_mean(measured, axis=-1, keepdims=True) if to_gray else measured


def _as_noise(variance):
    return tf.reshape(tf.cast(variance, tf.float32), [-1, 1, 1, 1])
