"""Eq. 3 in closed form: the linear estimate of least mean square error for a known operator.

For images with mean mu and covariance S, and white noise of variance sigma^2, it is

    z = mu + S A^T (A S A^T + sigma^2)^-1 (y - A mu).

With a circular boundary a blur is diagonal in the Fourier domain, downsampling by d sums d^2
aliases, and the mean over the channels sums channels; so the inverse is a division.
"""

import tensorflow as tf

from inversenet_tf.imaging.physics import aliasing
from inversenet_tf.imaging.physics.borders import extended_periodically, with_frame
from inversenet_tf.imaging.physics.deconvolution import Deconvolution, good_size, kernels_as_batch
from inversenet_tf.imaging.physics.spectra import Spectrum

# What to multiply a noise variance by: images are not a Gaussian process, and on the package's
# training photographs 3 is better than 1 (32.90 dB instead of 32.76; 1 to 40 were tried).
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
    """The linear estimate of images from their measurements, for a circular boundary.

    Args:
        measurements: float32 [batch, height, width, channels], of any height and width.
        kernels: [kernel height, kernel width] for all, [kernel height, kernel width, channels], or
            [batch, kernel height, kernel width, 1 or channels]; centred at (height // 2,
            width // 2), and no larger than the image.
        noise_variance: a scalar, or [batch].
        spectrum: of the images, with as many channels as they have or with one.
        scale: image pixels per measurement pixel along each side.
        phase: index of the first pixel that downsampling keeps, see `Downsampling`.
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

    For a blur alone, what does not depend on the noise, such as the transforms of kernels and
    measurements, is computed only once.

    Args:
        factors: multiples of the noise variance; the other arguments are those of `solve`.

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
    """(the estimates of `solve_at` for a blur alone, the `Deconvolution`)."""
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
    """The estimates for a camera's blur, where nothing is known of the image beyond the frame.

    The circular form would take the opposite border for the continuation of the image and make it
    ring. So the measurement is extended by a margin, which is first filled with the mirrored image
    and then, for each of a series of falling noise variances, with the blur of the previous
    estimate.

    Args:
        measurements, kernels, noise_variance, spectrum: as for `solve` with scale 1.
        factors: multiples of the noise variance to return estimates for.

    Returns:
        An estimate for each factor, float32 of the shape of the measurements.
    """
    return _without_border(measurements, kernels, noise_variance, spectrum, factors)[0]


def period_of(kernels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """[height, width] of the period that `solve_without_border` uses for images of a size."""
    side = tf.reduce_max(tf.shape(kernels_as_batch(kernels))[1:3])
    least = 2 * (side + side % 2) + 16
    return tf.stack([good_size(size[axis] + least) for axis in (0, 1)])


def _without_border(measurements, kernels, noise_variance, spectrum, factors):
    """(the estimates of `solve_without_border`, the `Deconvolution`)."""
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
    """The estimates of `solve_at` or `solve_without_border`, and the expected error of the first.

    Args:
        measurements, kernels, noise_variance, spectrum, factors, scale, phase, to_gray: as there.
        boundary: "circular" for `solve_at`, "reflect" for `solve_without_border`; it is used for a
            blur alone, anything else is solved by `solve_at`.

    Returns:
        (an estimate for each factor, the `expected_error` of the first one; for a blur alone, over
        the period in which it was found).
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
    """The expected error of the estimate of `solve` on images that follow the spectrum.

    It is the posterior standard deviation: for a blur alone, the root of the mean over frequencies
    f and channels of S(f) sigma^2 / (|h(f)|^2 S(f) + sigma^2). It does not depend on the
    measurements.

    Args:
        kernels, noise_variance, scale, phase, to_gray: as for `solve`.
        spectrum: with as many channels as the images; for a blur alone, one may do.
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
    """A mu: [1 or batch, 1, 1, 1 or channels]."""
    measured = mean * tf.reduce_sum(kernels, axis=(1, 2), keepdims=True)
    return tf.reduce_mean(measured, axis=-1, keepdims=True) if to_gray else measured


def _as_noise(variance):
    return tf.reshape(tf.cast(variance, tf.float32), [-1, 1, 1, 1])
