"""The power spectrum of images, the prior of the closed forms in `solvers.py`.

The power of natural images falls with the frequency like a power law (Field 1987), and their
channels are strongly correlated. Both are described by a few numbers, fitted to images.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.checks import check_at_least, check_choice, check_positive

KNEE = 0.003  # cycles per pixel below which the power law levels off
BINS = 24  # rings of frequencies, with equal weight in a fit
STEEPEST = 20.0  # largest absolute exponent of a valid spectrum
LEAST_SIDE = 16  # pixels of the smallest image that a spectrum can be fitted to


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """The second moments of images: S(f) = power(f) * covariance, around a mean.

    Attributes:
        amplitude, exponent: power(f) = amplitude / (f^2 + KNEE^2)^exponent per pixel, f in cycles
            per pixel.
        mean: of each channel.
        covariance: of the channels, scaled to a mean diagonal of 1.
    """

    amplitude: float = 3e-4
    exponent: float = 1.1
    mean: tuple[float, ...] = (0.5,)
    covariance: tuple[tuple[float, ...], ...] = ((1.0,),)

    def validate(self) -> None:
        """Raises ValueError unless this is a spectrum of images of one or three channels."""
        check_positive("amplitude", self.amplitude)
        check_at_least("exponent", self.exponent, -STEEPEST)  # noise may have one below zero
        check_at_least("-exponent", -self.exponent, -STEEPEST)
        channels = len(self.mean)
        check_choice("the number of channels of mean", channels, (1, 3))
        covariance = np.array(self.covariance, np.float64)
        if not (np.isfinite(self.mean).all() and np.isfinite(covariance).all()):
            raise ValueError("Expected finite numbers as mean and covariance. Received: others")
        is_square = covariance.shape == (channels, channels)
        if not is_square or np.linalg.eigvalsh(covariance).min() < -1e-6 * np.trace(covariance):
            raise ValueError(
                f"Expected covariance to be {channels}x{channels} numbers, positive semidefinite. "
                f"Received: {self.covariance}"
            )

    def power(self, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """The power at each frequency of `tf.signal.rfft2d`: [height, width // 2 + 1]."""
        vertical, horizontal = (
            tf.cast(tf.range(size // 2 + 1, dtype=tf.int32), tf.float32) / tf.cast(size, tf.float32)
            for size in (height, width)
        )
        upper = self._of(vertical[:, tf.newaxis] ** 2 + horizontal**2)
        # The frequencies of the lower rows are the same except for their signs.
        return tf.concat([upper, upper[1 : height - height // 2][::-1]], axis=0)

    def full_power(self, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """The power at each frequency of `tf.signal.fft2d`: [height, width]."""
        return self._of(_frequencies(height)[:, tf.newaxis] ** 2 + _frequencies(width) ** 2)

    def _of(self, squared_frequency):
        return self.amplitude / (squared_frequency + KNEE**2) ** self.exponent

    def for_channels(self, channels: int) -> "Spectrum":
        """The same for a number of channels, uncorrelated if this spectrum has only one.

        Raises:
            ValueError: the spectrum has several channels, and not as many.
        """
        if len(self.mean) == channels:
            return self
        if len(self.mean) != 1:
            raise ValueError(
                f"Expected a spectrum of {channels} channels or of one. Received: {len(self.mean)}"
            )
        identity = tuple(tuple(row) for row in np.eye(channels).tolist())
        return dataclasses.replace(self, mean=self.mean * channels, covariance=identity)


def _frequencies(size):
    """The frequencies of `tf.signal.fft`, in cycles per pixel."""
    places = tf.range(size, dtype=tf.int32)
    places = tf.where(places > (size - 1) // 2, places - size, places)
    return tf.cast(places, tf.float32) / tf.cast(size, tf.float32)


def fit_spectrum(images: Iterable[np.ndarray]) -> Spectrum:
    """Fits a `Spectrum` to images.

    The periodograms, under a Hann window that keeps the borders out, are averaged over rings of
    frequencies, and the power law is fitted to their logarithms by robust least squares.

    Args:
        images: each [height, width, channels] in [0, 1], of any size; those of fewer than 16 pixels
            a side are skipped.

    Raises:
        ValueError: no image is large enough, or none varies along its rows, as images of a single
            colour do not.
    """
    import scipy.optimize  # takes half a second, and restoring does not need it

    centres = np.geomspace(0.01, 0.5, BINS + 1)
    sums, counts = np.zeros(BINS), np.zeros(BINS)
    moments = []
    for image in images:
        if min(image.shape[:2]) < LEAST_SIDE:
            continue
        pixels = np.asarray(image, np.float64)
        moments.append((pixels.mean((0, 1)), _covariance(pixels)))
        frequency, periodogram = _periodogram(pixels - pixels.mean((0, 1)))
        ring = np.digitize(frequency, centres) - 1
        inside = (ring >= 0) & (ring < BINS)
        sums += np.bincount(ring[inside], periodogram[inside], BINS)
        counts += np.bincount(ring[inside], minlength=BINS)
    covariance = np.mean([covariance for _, covariance in moments], axis=0) if moments else 0.0
    # The spectrum of a single colour is not always zero, as its mean is rounded.
    if not np.any(covariance):
        raise ValueError(
            f"Expected images of at least {LEAST_SIDE} pixels a side that vary along their rows. "
            f"Received: {len(moments)} of that size"
        )
    present = counts > 0
    frequency = np.sqrt(centres[1:] * centres[:-1])[present]
    logarithm = np.log(sums[present] / counts[present])

    def misfit(parameters):
        return parameters[0] - parameters[1] * np.log(frequency**2 + KNEE**2) - logarithm

    (amplitude, exponent) = scipy.optimize.least_squares(misfit, (-8.0, 1.1), loss="soft_l1").x
    mean = np.mean([mean for mean, _ in moments], axis=0)
    covariance /= np.trace(covariance) / len(covariance)
    return Spectrum(
        float(np.exp(amplitude)),
        float(exponent),
        tuple(mean.tolist()),
        tuple(tuple(row) for row in covariance.tolist()),
    )


def _covariance(pixels):
    """The covariance of the channels in the fine detail, on which a restoration depends."""
    detail = np.diff(pixels, axis=1).reshape(-1, pixels.shape[-1])
    return detail.T @ detail / len(detail)


def _periodogram(pixels):
    """(frequency, power per pixel averaged over the channels), both flat."""
    height, width, channels = pixels.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    spectrum = np.fft.rfft2(pixels * window[..., None], axes=(0, 1))
    power = (np.abs(spectrum) ** 2).sum(-1) / channels / (window**2).sum()
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    return frequency.ravel(), power.ravel()
