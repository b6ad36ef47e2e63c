"""Photographs whose blur nobody knows: it is found first, and the restorer is told it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.files.images import ImageReadError
from inversenet_tf.imaging.files.photographs import Photograph, read_photograph
from inversenet_tf.imaging.physics.kernel_estimation import KernelEstimate, estimate_kernel
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.restorers import Restorer

MOST_SHARING = 8  # photographs that a shared blur is sought in


class BlurFinder:
    """Which restorer a photograph needs.

    Args:
        restorer: one that can be told a kernel.
        noise: standard deviation of the noise; None for what is found.
        shared: the estimate for all photographs; None to look at each.

    Raises:
        ValueError: the restorer cannot be told a kernel.
    """

    def __init__(
        self, restorer: Restorer, noise: float | None = None, shared: KernelEstimate | None = None
    ):
        if restorer.kernel_use == kernel_use.NONE:
            raise ValueError(
                "Expected a model that can be told a kernel, for --kernel=auto: closed_form, or "
                "one trained with --config=any_blur. Received: a model of one blur"
            )
        self._restorer, self._noise, self._shared = restorer, noise, shared

    def __call__(self, photograph: Photograph, name: str | Path) -> Restorer | None:
        """The restorer that knows the photograph's blur; None where it had better stay as it is."""
        estimate = self._shared or estimate_kernel(photograph.pixels)
        logging.info("%s: %s", name, description_of(estimate))
        if not estimate.is_blur:
            return None
        noise = estimate.noise if self._noise is None else self._noise
        return self._restorer.told(estimate.kernel, noise)


def description_of(estimate: KernelEstimate) -> str:
    """An estimate in a sentence."""
    if not estimate.is_blur:
        return estimate.reason
    side = len(estimate.kernel)
    return (
        f"A blur of {side}x{side} pixels, noise {estimate.noise:.4f} of white, "
        f"confidence {estimate.confidence:.0%}."
    )


def shared_blur(
    paths: Iterable[Path],
    boundary: str = "camera",
    progress: Callable[[float], None] | None = None,
) -> KernelEstimate:
    """The blur that photographs share, from the first few that can be read.

    Args:
        paths: of the photographs.
        boundary, progress: as for `estimate_kernel`.

    Raises:
        ValueError: not one of them can be read.
    """
    pixels = []
    for path in paths:
        if len(pixels) == MOST_SHARING:
            break
        try:
            pixels.append(np.asarray(read_photograph(path).pixels))
        except ImageReadError as error:
            logging.warning("Left out of the search for the kernel: %s", error)
    if not pixels:
        raise ValueError("Expected photographs that can be read. Received: none")
    return estimate_kernel(pixels, boundary, progress=progress)
