"""The result of a search for the blur of images."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class KernelEstimate:
    """An estimated blur kernel, the noise, and how certain they are.

    Attributes:
        kernel: float32 [size, size], odd, non-negative, of sum 1; its centre of mass is at the
            middle unless an image model placed it. [[1.]] if no blur, or none to trust, was found.
        noise: standard deviation of the noise, with white as 1.
        confidence: from 0, no better than no blur, to 1.
        reason: why the kernel is a single point, as a sentence; empty if it is not.
        plausible: float32 [number, side, side], kernels that explain the images nearly as well,
            each moved to lie on the first, which is `kernel`; side >= size.
    """

    kernel: np.ndarray
    noise: float
    confidence: float
    reason: str = ""
    plausible: np.ndarray = dataclasses.field(
        default_factory=lambda: np.ones((1, 1, 1), np.float32), repr=False
    )

    @property
    def is_blur(self) -> bool:
        """Whether a blur was found."""
        return self.kernel.size > 1

    @property
    def spread(self) -> float:
        """How far the plausible kernels are from the estimate, relative to its norm.

        It is the root mean square of their distances; 0 if there is no other kernel.
        """
        first, others = self.plausible[0], self.plausible[1:]
        if len(others) == 0:
            return 0.0
        distances = np.square(others - first).sum(axis=(1, 2))
        return float(np.sqrt(distances.mean() / np.square(first).sum()))
