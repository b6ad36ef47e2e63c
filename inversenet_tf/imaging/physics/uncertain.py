"""A blur that was estimated: its kernel, and the kernels that it may be in truth.

A network that has the estimate for its kernel, and is trained on measurements by the others, too,
learns how far the closed form with the estimate can be trusted.
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

SHARE_OF_THE_ESTIMATE = 0.5  # of the images, which are blurred by the estimate itself


class UncertainBlur(VariedBlur):
    """A blur by an estimated kernel, or by one on the way from it to another plausible one.

    Each image has one of its own, and nobody is told which: `kernel`, the estimate, is all that is
    known. The noise is the same for all.

    Args:
        kernels: [number, side, side], side odd, non-negative, of sum 1: the estimate, and those
            that it may be in truth.
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
        """(kernel, fraction of the noise), which is always all of it."""
        generator = np.random.default_rng(seeds)
        if len(self._others) == 0 or generator.uniform() < SHARE_OF_THE_ESTIMATE:
            return self.kernel, np.float32(1.0)
        other = self._others[generator.integers(len(self._others))]
        share = np.float32(generator.uniform())
        return (1 - share) * self.kernel + share * other, np.float32(1.0)


def kernels_from(path: str | Path) -> np.ndarray:
    """The kernels in a file, as `UncertainBlur` takes them.

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
            f"Expected in {path} kernels [number, side, side], side odd, {KERNEL_VALUES}. "
            f"Received: shape {kernels.shape}"
        )
    return np.stack([normalised(kernel) for kernel in kernels])
