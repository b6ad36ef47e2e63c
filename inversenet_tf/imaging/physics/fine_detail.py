"""Whether a small image has as much fine detail as its downsampling would have left.

Almost any small image y is A(x) of some larger x, so A(restored) does not tell. The spectrum does:
that of photographs falls with the frequency like a power law, which the kernel bends in a known
way. An image that was scaled down otherwise, or not at all, has more fine detail, or less.
"""

import dataclasses
import math

import numpy as np

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

EXPONENT = 1.1  # of the power of photographs in the squared frequency, as in `Spectrum`
KNEE = 0.003  # as in `spectra.py`
RINGS = np.linspace(0.08, 0.5, 15)  # edges of the rings, in cycles per pixel of the small image
COARSE = RINGS[1:] <= 0.2  # the rings that tell how strong an image's detail is
FINE = RINGS[:-1] >= 0.29  # the rings that depend on the kernel
GRID = 64  # side of the grid of frequencies on which the kernel's effect is computed
LEAST_SIDE, MOST_SIDE = 32, 1024  # pixels of the part that is looked at
# The excess of sixty training photographs, scaled down with the flat kernel of 7 pixels, was
# between -1.37 and 1.02: as they were, with undeclared noise of 0.01, and as JPEG of quality 90.
LEAST, MOST = -1.5, 1.2


@dataclasses.dataclass(frozen=True)
class FineDetail:
    """How much fine detail a measurement has.

    Attributes:
        excess: log ratio of its power to that which photographs keep in such a downsampling.
    """

    excess: float

    @property
    def fits(self) -> bool:
        """Whether photographs that were scaled down in this way have about as much."""
        return LEAST <= self.excess <= MOST

    @property
    def distance(self) -> float:
        """How far it is from what photographs keep; 1 at the limit of what is usual."""
        return self.excess / (MOST if self.excess > 0 else LEAST)

    def __str__(self) -> str:
        usual = [math.exp(bound / 2) for bound in (LEAST, MOST)]
        return (
            f"its fine detail is {math.exp(self.excess / 2):.1f} times as strong as expected "
            "of a photograph scaled down in the way the model assumes "
            f"({usual[0]:.1f} to {usual[1]:.1f} is usual)"
        )


def fine_detail(
    measured: np.ndarray, kernel: np.ndarray, scale: int, noise_sigma: float
) -> FineDetail | None:
    """Compares the spectrum of a measurement with what its operator makes of photographs.

    The coarse detail tells how much fine detail to expect, apart from noise and rounding.

    Args:
        measured: [height, width, channels] in [0, 1]; only the middle of a large one is looked at.
        kernel: [height, width] of the blur before the downsampling.
        scale: of the downsampling.
        noise_sigma: standard deviation of the sensor's noise.

    Returns:
        The `FineDetail`; None for an image of less than 32 pixels a side, or without any detail.
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
    """The power spectrum of photographs after the operator, up to a factor: [GRID, GRID]."""
    fine = np.fft.fftfreq(GRID * scale)
    rows, columns = (
        np.exp(-2j * np.pi * np.outer(fine, np.arange(length))) for length in kernel.shape
    )
    transfer = np.abs(rows @ kernel @ columns.T) ** 2
    power = transfer / (fine[:, None] ** 2 + fine**2 + KNEE**2) ** EXPONENT
    # Downsampling sums the frequencies that become aliases of each other.
    return power.reshape(scale, GRID, scale, GRID).sum((0, 2))


def _ring_means(power):
    """The mean power in each ring of frequencies of `fft2`."""
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, power.shape), indexing="ij"))
    ring = np.digitize(frequency.ravel(), RINGS) - 1
    inside = (ring >= 0) & (ring < len(RINGS) - 1)
    sums = np.bincount(ring[inside], power.ravel()[inside], len(RINGS) - 1)
    return sums / np.bincount(ring[inside], minlength=len(RINGS) - 1)
