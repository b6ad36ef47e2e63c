"""How measurements are assumed to come about, y = N(A(x)), and whether a measurement fits."""

import dataclasses
import itertools
import math

import numpy as np

from inversenet_tf.imaging.arrays import as_floats
from inversenet_tf.imaging.config import NoiseConfig, OperatorConfig
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.files.pixels import WHITE
from inversenet_tf.imaging.physics.fine_detail import FineDetail, fine_detail
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

# What A(restored) may miss of a measurement that fits, as a fraction of its contrast. On the
# training photographs the closed form misses 0.03 to 0.14 of measurements that fit, 0.10 to
# 0.34 if they were stored as JPEG of quality 90, and 1.0 to 5 if the blur was another.
UNEXPLAINED = 0.6
UNEXPLAINED_SCORE = "unexplained"  # its name among the scores of a checkpoint
TILE = 96  # side, in measurement pixels, of the parts that are looked at
MOST_TILES = 4
CANDIDATES = 8  # places of a tile along each side of a photograph
LEAST_SIDE = 16  # pixels that must remain inside the border for a part to be informative
# Beyond these the sensor has clipped the light, which the operator does not model.
BLACK, WHITE_LEVEL = 1.0 / WHITE, 1.0 - 1.0 / WHITE


@dataclasses.dataclass(frozen=True)
class Degradation:
    """The operator A, a blur, then downsampling, then the mean of the channels, and the noise.

    Attributes:
        kernel: rows of numbers, or of lists of one per channel; [[1.0]] without blur. None if it is
            given with each measurement.
        scale: image pixels per measurement pixel along each side.
        to_gray: whether a measurement is the mean of the channels.
        noise_sigma: standard deviation of the sensor's noise.
        unexplained: what A(restored) misses of measurements that fit, as a fraction of their
            contrast.
    """

    kernel: list | None
    scale: int = 1
    to_gray: bool = False
    noise_sigma: float = 0.0
    unexplained: float = UNEXPLAINED

    @classmethod
    def of(
        cls,
        operator: OperatorConfig,
        noise: NoiseConfig,
        kernel: np.ndarray | None,
        unexplained: float = 0.0,
    ) -> "Degradation":
        """The degradation that sections of a config describe.

        Args:
            operator, noise: the sections.
            kernel: of the operator; None if it has none.
            unexplained: what a model was found to miss of measurements that fit; twice as much is
                allowed, or `UNEXPLAINED` if that is more.
        """
        if not operator.is_varied:
            kernel = [[1.0]] if kernel is None else np.asarray(kernel, np.float64).tolist()
        return cls(
            kernel,
            operator.scale,
            operator.name == "joint",
            0.0 if noise.custom else noise.gaussian_sigma,
            max(UNEXPLAINED, 2.0 * unexplained),
        )

    @classmethod
    def from_dict(cls, fields: dict) -> "Degradation":
        """The inverse of `dataclasses.asdict`, with checks for fields that come from a file.

        Raises:
            ValueError: other fields, or invalid values.
        """
        degradation = config_from_dict(cls, fields)
        try:
            kernel = np.asarray(
                [[1.0]] if degradation.kernel is None else degradation.kernel, np.float64
            )
        except (TypeError, OverflowError) as error:  # not numbers, or beyond a float
            raise ValueError(f"Expected numbers as kernel. Received: {error}") from error
        is_kernel = kernel.ndim == 2 or kernel.shape[2:] == (3,)
        if not (is_kernel and kernel.size and np.isfinite(kernel).all()):
            raise ValueError(f"Expected a matrix, or three, as kernel. Received: {kernel.shape}")
        numbers = (degradation.noise_sigma, degradation.unexplained)
        if degradation.scale < 1 or not all(math.isfinite(n) and n >= 0 for n in numbers):
            raise ValueError(f"Expected a scale >= 1, a noise >= 0. Received: {fields}")
        return degradation

    def told(self, kernel: np.ndarray, noise_sigma: float) -> "Degradation":
        """The same with the given kernel and noise."""
        return dataclasses.replace(self, kernel=kernel.tolist(), noise_sigma=noise_sigma)

    def fit(self, measured: np.ndarray, restored: np.ndarray) -> "Fit | None":
        """How well a measurement fits, by comparing A(restored) to it in parts of high contrast.

        The border, which depends on what is beyond the frame, and black or white pixels do not
        count. If measurements are smaller than images and all channels share the kernel,
        `fine_detail` is compared, too.

        Args:
            measured: [height, width, channels], integers or in [0, 1].
            restored: its restoration, [height * scale, width * scale, channels], likewise.

        Returns:
            The `Fit`; None if too little of the image remains to tell, no kernel is known, or the
            channels do not match.

        Raises:
            ValueError: arrays of another rank or type, or of sizes that do not belong together.
        """
        sides = [side * self.scale for side in measured.shape[:2]]
        if measured.ndim != 3 or restored.ndim != 3 or list(restored.shape[:2]) != sides:
            raise ValueError(
                f"Expected a measurement [height, width, channels] and its restoration, "
                f"{self.scale} times as large. Received: shapes {measured.shape} and "
                f"{restored.shape}"
            )
        if not self._is_known_of(measured.shape[-1], restored.shape[-1]):
            return None
        kernel, scale = np.asarray(self.kernel, np.float32), self.scale
        border = max(kernel.shape[:2]) // scale + 1
        places = _places(measured, border)
        if not places:
            return None
        parts = np.stack([as_floats(measured[place]) for place in places])
        again = self.degraded(
            np.stack([as_floats(restored[_scaled(place, scale)]) for place in places])
        )
        inner = (slice(None), slice(border, -border), slice(border, -border))
        fit = self._compared(parts[inner], again[inner])
        if fit is None or scale == 1 or kernel.ndim == 3:
            return fit
        detail = fine_detail(as_floats(measured), kernel, scale, self.noise_sigma)
        return dataclasses.replace(fit, detail=detail)

    def _is_known_of(self, measured_channels, channels):
        """Whether a kernel is known and fits these numbers of channels."""
        if self.kernel is None:
            return False
        of_channels = np.shape(self.kernel)[2:]  # () where all channels share the kernel
        is_for_images = of_channels in ((), (channels,))
        return is_for_images and measured_channels == (1 if self.to_gray else channels)

    def degraded(self, images: np.ndarray) -> np.ndarray:
        """A(images) with a circular boundary, like the operators of `operators.py`, in one step.

        Args:
            images: [batch, height * scale, width * scale, channels].

        Returns:
            [batch, height, width, 1 or channels].
        """
        kernel, size = np.asarray(self.kernel, np.float32), images.shape[1:3]
        around = np.zeros((*size, images.shape[-1]))
        around[: len(kernel), : kernel.shape[1]] = kernel if kernel.ndim == 3 else kernel[..., None]
        centre = (-(len(kernel) // 2), -(kernel.shape[1] // 2))
        transfer = np.fft.rfft2(np.roll(around, centre, (0, 1)), axes=(0, 1))
        spectra = np.fft.rfft2(images, axes=(1, 2)) * transfer
        phase = self.scale // 2
        kept = slice(phase, None, self.scale)
        blurred = np.fft.irfft2(spectra, size, axes=(1, 2))[:, kept, kept]
        return blurred.mean(-1, keepdims=True) if self.to_gray else blurred

    def _compared(self, measured, again):
        counts = (measured > BLACK) & (measured < WHITE_LEVEL)
        if counts.mean() < 0.1:
            return None
        residual = _root_mean_square((again - measured)[counts])
        noise = math.sqrt(ROUNDING_VARIANCE + self.noise_sigma**2)
        return Fit(residual, math.hypot(noise, self.unexplained * _contrast(measured)))


@dataclasses.dataclass(frozen=True)
class Fit:
    """How far A(restored) is from a measurement, as root mean squares with white as 1.

    Attributes:
        residual: the distance.
        explained: the distance that noise, rounding and the errors of a restorer may cause.
        detail: how much fine detail the measurement has, if it is smaller than the image.
    """

    residual: float
    explained: float
    detail: FineDetail | None = None

    @property
    def fits(self) -> bool:
        """Whether the measurement came about as assumed."""
        return self.distance <= 1.0

    @property
    def distance(self) -> float:
        """How far the measurement is from what is assumed; beyond 1 it does not fit."""
        return max(self._residual_distance, self.detail.distance if self.detail else 0.0)

    @property
    def _residual_distance(self):
        return self.residual / self.explained

    def __str__(self) -> str:
        if self.detail and self.detail.distance > self._residual_distance:
            return str(self.detail)
        return (
            f"degraded again, its restoration is {WHITE * self.residual:.1f}/255 away from it, of "
            f"which noise, rounding and detail explain {WHITE * self.explained:.1f}/255"
        )


def unexplained_of(measured: np.ndarray, fit: Fit) -> float:
    """The residual of a fit as a fraction of the measurement's contrast."""
    return fit.residual / max(_contrast(as_floats(measured)[np.newaxis]), 1.0 / WHITE)


def _root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _contrast(parts):
    """The root mean square of the gradients of [parts, height, width, channels]."""
    return math.hypot(*(_root_mean_square(np.diff(parts, axis=axis)) for axis in (1, 2)))


def _scaled(place, scale):
    """The slices of the image that correspond to a part of the measurement."""
    return tuple(slice(scale * side.start, scale * side.stop) for side in place)


def _places(measured, border):
    """(rows, columns) of the parts of most contrast; empty for a small image."""
    side = min(TILE, *(size - 2 * border for size in measured.shape[:2]))
    if side < LEAST_SIDE:
        return []
    side += 2 * border
    starts = [
        sorted(set(np.linspace(0, size - side, min(CANDIDATES, -(-size // side))).astype(int)))
        for size in measured.shape[:2]
    ]
    places = [
        (slice(top, top + side), slice(left, left + side))
        for top, left in itertools.product(*starts)
    ]
    if len(places) > MOST_TILES:
        # Every other pixel is enough for a comparison.
        thinned = (as_floats(measured[place][::2, ::2])[np.newaxis] for place in places)
        contrasts = [_contrast(part) for part in thinned]
        order = np.argsort(contrasts)[::-1][:MOST_TILES]
        places = [places[index] for index in sorted(order)]
    return places
