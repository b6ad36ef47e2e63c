"""A blur with an estimated kernel, and the other kernels that may be the true one.

A network that is given the estimate but also trained on measurements with the others learns how
far to trust the closed form with the estimate.
"""

from pathlib import Path

import numpy as np

from inversenet_tf.imaging.files.arrays import read_array
from inversenet_tf.imaging.physics.kernels import KERNEL_VALUES, normalised
from inversenet_tf.imaging.physics.varied import (
    HELD_OUT_KERNELS,
    HELD_OUT_STREAM,
    TRAINING_STREAM,
    VariedBlur,
)

SHARE_OF_THE_ESTIMATE = 0.5  # of images that are blurred with the estimate itself


class UncertainBlur(VariedBlur):
    """A blur with an estimated kernel, or with one between it and another plausible one.

    Each image has its own kernel, which the network is not given: only `kernel`, the estimate, is
    known. The noise is the same for all.

    Args:
        kernels: [number, side, side], side odd, non-negative, of sum 1: the estimate, then the
            others that may be the true one.
        boundary: one of `BOUNDARIES`.
    """

    def __init__(self, kernels: np.ndarray, boundary: str = "circular"):
        super().__init__(kernels.shape[-1], boundary)
        self.kernel, self._others = kernels[0], kernels[1:]

    def training_draw(self, seed, position):
        return self._drawn([TRAINING_STREAM, seed, position])

    def held_out_draw(self, position):
        return self._drawn([HELD_OUT_STREAM, position % HELD_OUT_KERNELS])

    def _drawn(self, seeds):
        """(kernel, fraction of the noise); the fraction is always 1."""
        generator = np.random.default_rng(seeds)
        if len(self._others) == 0 or generator.uniform() < SHARE_OF_THE_ESTIMATE:
            return self.kernel, np.float32(1.0)
        other = self._others[generator.integers(len(self._others))]
        share = np.float32(generator.uniform())
        return (1 - share) * self.kernel + share * other, np.float32(1.0)


def kernels_from(path: str | Path) -> np.ndarray:
    """Reads the kernels of an `UncertainBlur` from a file.

    Raises:
        ValueError: no such file, or no kernels in it.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"Expected a file of kernels (.npy). Received: {path}")
    kernels = read_array(path)
    is_fit = kernels.ndim == 3 and len(kernels) and kernels.shape[1] == kernels.shape[2]
    is_fit = is_fit and kernels.shape[1] % 2 and np.isfinite(kernels).all() and kernels.min() >= 0
    if not is_fit or not (kernels.sum((1, 2)) > 0).all():
        raise ValueError(
            f"Expected kernels [number, side, side] in {path}, of an odd side and {KERNEL_VALUES}. "
            f"Received: shape {kernels.shape}"
        )
    return np.stack([normalised(kernel) for kernel in kernels])
