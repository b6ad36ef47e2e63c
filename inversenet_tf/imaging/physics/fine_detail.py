"""Whether a small image has as much fine detail as its downsampling would have left.

Almost any small image y is A(x) of some larger x, so A(restored) tells nothing of it. Its spectrum
does: that of photographs falls with the frequency like a power law, which the kernel bends in a
known way. What was scaled down otherwise, or not at all, has more fine detail, or less.
"""

import dataclasses
import math

import numpy as np

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

EXPONENT = 1.1  # of the power of photographs by the squared frequency, as `Spectrum` has it
KNEE = 0.003  # likewise, of `spectra.py`
RINGS = np.linspace(0.08, 0.5, 15)  # their edges, in cycles per pixel of the small image
COARSE = RINGS[1:] <= 0.2  # the rings that tell how strong an image's detail is
FINE = RINGS[:-1] >= 0.29  # those that the kernel decides
GRID = 64  # of frequencies, on which the kernel's effect is worked out
LEAST_SIDE, MOST_SIDE = 32, 1024  # pixels of what is looked at
# Sixty photographs for training, scaled down by the flat kernel of 7 pixels, were between -1.37 and
# 1.02: as they were, with noise of 0.01 that was not told, and as JPEG of quality 90.
LEAST, MOST = -1.5, 1.2


@dataclasses.dataclass(frozen=True)
class FineDetail:
    """How much fine detail a measurement has.

    Attributes:
        excess: the logarithm of its power, of which the detail that photographs keep in such a
            downsampling has 0.
    """

    excess: float

    @property
    def fits(self) -> bool:
        """Whether photographs that were scaled down so have as much."""
        return LEAST <= self.excess <= MOST

    @property
    def distance(self) -> float:
        """How far away it is from what is usual; 1 where that ends."""
        return self.excess / (MOST if self.excess > 0 else LEAST)

    def __str__(self) -> str:
        usual = [math.exp(bound / 2) for bound in (LEAST, MOST)]
        return (
            f"its fine detail is {math.exp(self.excess / 2):.1f} times as strong as it is expected "
            "of a photograph that was scaled down as the model takes it to be "
            f"({usual[0]:.1f} to {usual[1]:.1f} is usual)"
        )


def fine_detail(
    measured: np.ndarray, kernel: np.ndarray, scale: int, noise_sigma: float
) -> FineDetail | None:
    """Compares the spectrum of a measurement with what its operator makes of photographs.

    The coarse detail tells how much fine detail to expect; noise and rounding are added to that.

    Args:
        measured: [height, width, channels] in [0, 1]; of a large one the middle is looked at.
        kernel: [height, width] of the blur before the downsampling.
        scale: of the downsampling.
        noise_sigma: of the sensor.

    Returns:
        None for an image of less than 32 pixels a side, or without any detail.
    """
    middle = measured[tuple(_middle(side) for side in measured.shape[:2])]
    height, width = middle.shape[:2]
    if min(height, width) < LEAST_SIDE:
        return None
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    varying = (middle - middle.mean((0, 1))) * window[..., None]
    power = (np.abs(np.fft.fft2(varying, axes=(0, 1))) ** 2).mean(-1) / (window**2).sum()
    present = _ring_means(power)
    if present.min() <= 0.0:
        return None
    expected = _ring_means(_expected_power(kernel, scale))
    strength = np.exp(np.mean(np.log(present[COARSE] / expected[COARSE])))
    expected = strength * expected + ROUNDING_VARIANCE + noise_sigma**2
    return FineDetail(float(np.mean(np.log(present[FINE] / expected[FINE]))))


def _middle(side):
    begin = max(0, (side - MOST_SIDE) // 2)
    return slice(begin, begin + MOST_SIDE)


def _expected_power(kernel, scale):
    """What the operator makes of the spectrum of photographs: [GRID, GRID]."""
    fine = np.fft.fftfreq(GRID * scale)
    rows, columns = (
        np.exp(-2j * np.pi * np.outer(fine, np.arange(length))) for length in kernel.shape
    )
    transfer = np.abs(rows @ kernel @ columns.T) ** 2
    power = transfer / (fine[:, None] ** 2 + fine**2 + KNEE**2) ** EXPONENT
    # Downsampling adds up all frequencies that become one.
    return power.reshape(scale, GRID, scale, GRID).sum((0, 2))


def _ring_means(power):
    """The mean power of every ring of frequencies of `fft2`."""
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, power.shape), indexing="ij"))
    ring = np.digitize(frequency.ravel(), RINGS) - 1
    inside = (ring >= 0) & (ring < len(RINGS) - 1)
    sums = np.bincount(ring[inside], power.ravel()[inside], len(RINGS) - 1)
    return sums / np.bincount(ring[inside], minlength=len(RINGS) - 1)
