"""Blind restoration of photographs: the kernel is estimated first and given to the restorer."""

import abc
import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from inversenet_tf.imaging.files.images import ImageReadError, read_image
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.files.photographs import Photograph, read_photograph
from inversenet_tf.imaging.physics.degradation import Fit
from inversenet_tf.imaging.physics.image_model import ImageModel, check_boundary
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.kernel_estimation import (
    LEAST_SIDE,
    estimate_kernel,
    estimate_noise,
)
from inversenet_tf.imaging.physics.light import to_light
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.restorers_around import InformedRestorer

DOUBTFUL = 0.5  # confidence below which the kernel is as often wrong as right
PICTURE_SIDE = 256  # approximate side of a kernel's picture, in pixels
MOST_SHARING = 8  # photographs from which a shared kernel is estimated; of small ones more,
ENOUGH_PIXELS = 2**17  # until together they have this many pixels


class EstimatingRestorer(InformedRestorer):
    """Base of restorers that estimate something of each image before they restore it."""

    def restore_and_compare(
        self,
        photograph: Photograph,
        path: str | Path | None = None,
        max_memory: int | None = None,
        report: Callable[[float], None] | None = None,
    ) -> tuple[np.ndarray, Fit | None]:
        """Same as for every restorer; the whole photograph is looked at first."""
        of_search, of_restoration = self._halves(report)
        told = self._told(photograph, path or "The photograph", of_search)
        if told is None:
            return photograph.pixels, None
        return told.restore_and_compare(photograph, path, max_memory, of_restoration)

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        if kernels is not None:
            raise ValueError("Expected no kernel, as this restorer has its own. Received: one")
        restored = [
            self._restored(image, f"Image {number}") for number, image in enumerate(measurements, 1)
        ]
        return {name: np.concatenate([each[name] for each in restored]) for name in restored[0]}

    def _restored(self, image, name):
        told = self._told(Photograph(image), name)
        batch = np.asarray(image, np.float32)[np.newaxis]
        return {"inverted": batch, "restored": batch} if told is None else told.estimates(batch)

    def _halves(self, report):
        """Splits what is called with the fraction of work done, for the estimate and the rest."""
        return None, report

    @abc.abstractmethod
    def _told(self, photograph, name, progress=None):
        """The restorer for one `Photograph`, or None to leave it as it is."""


class UnknownNoiseRestorer(EstimatingRestorer):
    """A restorer with a known kernel that estimates the noise of each image.

    Args:
        restorer: one that accepts a kernel.
        kernel: [height, width] or [height, width, 3].
        boundary, gamma: as for `estimate_noise`.

    Raises:
        ValueError: the restorer accepts no kernel.
    """

    def __init__(
        self,
        restorer: Restorer,
        kernel: np.ndarray,
        boundary: str = "camera",
        gamma: float = 1.0,
    ):
        restorer.told(kernel)  # raises for a restorer that accepts none
        super().__init__(restorer)
        self._kernel, self._boundary, self._gamma = kernel, boundary, gamma

    def _told(self, photograph, name, progress=None):
        if min(photograph.pixels.shape[:2]) < LEAST_SIDE:
            return self._restorer.told(self._kernel)
        noise = estimate_noise(
            photograph.pixels,
            self._kernel,
            self._boundary,
            gamma=self._gamma,
            jpeg=bool(photograph.jpeg),
        )
        logging.info("%s: estimated noise %.4f (white is 1).", name, noise)
        return self._restorer.told(self._kernel, noise)


def with_kernel(
    restorer: Restorer,
    kernel: np.ndarray,
    noise: float | None = None,
    boundary: str = "camera",
    gamma: float = 1.0,
) -> Restorer:
    """Gives a kernel to a restorer; without a noise level, that of each image is estimated.

    The noise is not estimated for upsampling, where it is that of rounding to 8 bits.

    Args:
        restorer, kernel, boundary, gamma: as for `UnknownNoiseRestorer`.
        noise: standard deviation of the noise, relative to white, or None.

    Raises:
        ValueError: as `Restorer.told`.
    """
    if noise is None and restorer.scale == 1:
        return UnknownNoiseRestorer(restorer, kernel, boundary, gamma)
    return restorer.told(kernel, noise)


class UnknownBlurRestorer(EstimatingRestorer):
    """A restorer that estimates the kernel of each image before it restores it.

    An image that no blur explains better than none is left as it is.

    Args:
        restorer: one that accepts a kernel.
        noise: standard deviation of the noise, relative to white; None for the estimated one.
        shared: the estimate for all images; None to estimate one for each.
        boundary, gamma, image_model: as for `estimate_kernel`; the restorer must take the same
            files.

    Raises:
        ValueError: the restorer accepts no kernel.
    """

    def __init__(
        self,
        restorer: Restorer,
        noise: float | None = None,
        shared: KernelEstimate | None = None,
        boundary: str = "camera",
        gamma: float = 1.0,
        image_model: ImageModel | None = None,
    ):
        check_can_be_told(restorer)
        super().__init__(restorer)
        self._noise, self._shared = noise, shared
        self._boundary, self._gamma, self._image_model = boundary, gamma, image_model

    def _halves(self, report):
        if report is None or self._shared is not None:
            return None, report
        return (lambda share: report(share / 2)), (lambda share: report((1 + share) / 2))

    def _told(self, photograph, name, progress=None):
        estimate = self._shared or estimate_kernel(
            photograph.pixels,
            self._boundary,
            gamma=self._gamma,
            progress=progress,
            image_model=self._image_model,
        )
        logging.info("%s: %s", name, description_of(estimate))
        if not estimate.is_blur:
            return None
        noise = estimate.noise if self._noise is None else self._noise
        return self._restorer.told(estimate.kernel, noise)


def check_can_be_told(restorer: Restorer) -> None:
    """Raises ValueError for a restorer that accepts no kernel."""
    if restorer.kernel_use == kernel_use.NONE:
        raise ValueError(
            "Expected a model that can be given an estimated kernel: closed_form, or one trained "
            "with --config=any_blur. Received: a model of one blur"
        )


def description_of(estimate: KernelEstimate) -> str:
    """Describes an estimate in words."""
    if not estimate.is_blur:
        return f"{estimate.reason} It remains unchanged."
    side = len(estimate.kernel)
    doubt = ""
    if estimate.confidence < DOUBTFUL:
        doubt = " The confidence is low: compare the result with the photograph."
    return (
        f"A blur of {side}x{side} pixels, noise {estimate.noise:.4f} (white is 1), "
        f"confidence {estimate.confidence:.0%}.{doubt}"
    )


def picture_of(kernel: np.ndarray) -> np.ndarray:
    """An enlarged picture of a kernel, with its maximum white: [side, side, 1] in [0, 1]."""
    repeats = max(PICTURE_SIDE // max(kernel.shape), 1)
    picture = (kernel / kernel.max()).repeat(repeats, axis=0).repeat(repeats, axis=1)
    return picture[..., np.newaxis]


@contextlib.contextmanager
def search_bar() -> Iterator[Callable[[float], None]]:
    """A progress bar of a search: yields a function to call with the fraction that is done."""
    with tqdm(total=100, desc="estimating the kernel", unit="%") as bar:
        yield lambda fraction: bar.update(int(100 * fraction) - bar.n)


def model_of_class(folder: str | Path, boundary: str, gamma: float = 1.0) -> ImageModel:
    """Fits the image model of a folder of sharp images, for `estimate_kernel`.

    Args:
        folder: of images of one class, of one size and framed alike.
        boundary, gamma: as for `estimate_kernel`.

    Raises:
        ValueError: no such folder, a boundary other than "circular", too few images, images of
            different sizes, or a file that cannot be read.
    """
    check_boundary(boundary)
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"Expected a directory of sharp images. Received: {folder}")
    paths, images = list_images(folder), []
    for path in paths:
        images.append(to_light(read_image(path), gamma))
        if images[-1].shape != images[0].shape:
            (height, width), (first_height, first_width) = images[-1].shape[:2], images[0].shape[:2]
            raise ValueError(
                f"Expected sharp images of one size and framed alike. Received: {height}x{width} "
                f"pixels in {path}, {first_height}x{first_width} in {paths[0]}"
            )
    return ImageModel.fit(images)


def shared_blur(
    paths: Iterable[Path],
    boundary: str = "camera",
    gamma: float = 1.0,
    progress: Callable[[float], None] | None = None,
    image_model: ImageModel | None = None,
) -> KernelEstimate:
    """Estimates the kernel that photographs share, from the first few that can be read.

    Args:
        paths: of the photographs.
        boundary, gamma, progress, image_model: as for `estimate_kernel`.

    Raises:
        ValueError: none of them can be read; or as for `estimate_kernel`.
    """
    photographs, pixels, faults = [], 0, []
    for path in paths:
        if len(photographs) >= MOST_SHARING and pixels >= ENOUGH_PIXELS:
            break
        try:
            photographs.append(read_photograph(path).pixels)
            pixels += photographs[-1][..., 0].size
        except ImageReadError as error:
            logging.warning("Left out when estimating the kernel: %s", error)
            faults.append(error)
    if not photographs:
        first = f"; the first: {faults[0]}" if faults else ""
        raise ValueError(f"Expected a photograph that can be read. Received: none{first}")
    return estimate_kernel(
        photographs, boundary, gamma=gamma, progress=progress, image_model=image_model
    )
