"""Blind estimation of the blur of images: its kernel, the noise, and how far to trust them."""

import dataclasses
from collections.abc import Callable

import numpy as np
import skimage.restoration

from inversenet_tf.imaging.arrays import images_of
from inversenet_tf.imaging.checks import check_at_least, check_positive
from inversenet_tf.imaging.files.pixels import LUMA
from inversenet_tf.imaging.physics.blur_model import Measured, noise_beside_blur
from inversenet_tf.imaging.physics.image_model import ImageModel, check_is_model
from inversenet_tf.imaging.physics.image_model_search import search_with_model
from inversenet_tf.imaging.physics.informative import informative_part, informative_patches
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.kernel_search import (
    SIZES,
    Answer,
    independent_searches,
    search_kernel,
)
from inversenet_tf.imaging.physics.kernel_shape import (
    centred,
    odd,
    trimmed,
    upon_the_first,
)
from inversenet_tf.imaging.physics.kernel_verdict import (
    BY_SCREENINGS,
    BY_SEARCHES,
    confidence_in,
    why_it_finds_no_blur,
    why_neither_finds_a_blur,
)
from inversenet_tf.imaging.physics.kernels import blur_kernel
from inversenet_tf.imaging.physics.light import to_light
from inversenet_tf.imaging.physics.noise import ROUNDING_SIGMA
from inversenet_tf.imaging.physics.second_opinion import second_opinion

BOUNDARIES = ("camera", "reflect", "circular")
NOISE_SIDE = 1024  # side in pixels of the central part that the noise is estimated from
LEAST_SIDE = 32  # pixels of the smallest image that a kernel is sought in
CLASS_SIZE = 31  # largest side of the kernels sought with an image model
# Of the noise of a possible JPEG: the highest frequency that it is measured at, and the greatest
# multiple of the noise in the finest details that it may be.
HIGHEST_IN_JPEG, MOST_HIDDEN = 0.35, 4.0
SEARCH_SHARE = 0.6  # of the time; the rest is for the second opinion
LARGER = 1.5  # times the patches' pixels, from which a part of a photograph is searched once more


def estimate_kernel(
    images: np.ndarray | list[np.ndarray],
    boundary: str = "camera",
    *,
    largest: int = SIZES[-1],
    gamma: float = 1.0,
    progress: Callable[[float], None] | None = None,
    image_model: ImageModel | None = None,
) -> KernelEstimate:
    """Finds the blur that an image has, or that several images share.

    In photographs it looks at the luma of the most informative patches only, see
    `informative_patches`; with an image model, at all pixels and colours.

    Example:
        ```python
        estimate = inversenet_tf.estimate_kernel(blurred)
        if estimate.is_blur:
            restored = restorer(blurred, kernel=estimate.kernel, noise=estimate.noise)
        ```

    Args:
        images: [height, width], [height, width, channels], [batch, height, width, channels], or a
            list of images of any sizes; in [0, 1], or integers of 8 or 16 bits.
        boundary: "camera" (or "reflect", the same) if nothing is known beyond the frame;
            "circular" for simulations, whose images must be of one size.
        largest: greatest side in pixels that the kernel may have, from 3 to 43. Kernels of 27
            pixels a side are sought first, and of 43 if the blur fills those; with an image model,
            of 31.
        gamma: of the images' encoding: light, which is what gets blurred, is their value to that
            power. About 2.2 for most cameras' files; 1 takes the values for light, as
            simulations do. The noise that is found is that of the light.
        progress: called with the fraction of the work that is done.
        image_model: a model of sharp images of this class, framed as these are, such as aligned
            faces; for the boundary "circular". It reveals the shift of the blur, too, so the
            kernel's centre of mass stays where it was found. Gray images count as colour ones if
            the model's are.

    Raises:
        ValueError: another boundary, rank or range, a gamma that is not positive, `largest` outside
            3 to 43, images of fewer than 32 pixels a side, circular ones of several sizes, or of
            another shape than the image model's.
    """
    images = _checked(images, boundary, largest, gamma, image_model)
    seen = _Seen.of(images, circular=boundary == "circular")
    if len(seen.patches) == 0:
        reason = "The image is flat or overexposed: nothing in it shows the blur."
        return _no_blur(seen.noise, reason)
    told = progress or (lambda fraction: None)
    if image_model is not None:
        answer, reason = _search_class(image_model, seen, largest, told)
    elif seen.circular:
        answer, reason = _search_periods(seen, largest, told)
    else:
        answer, reason = _search_twice(seen, largest, told)
    if reason:
        return _no_blur(seen.noise, reason)
    kernel = answer.kernels[0]
    left = answer.noise if seen.circular else _noise_in_jpeg(seen.measured, kernel)
    return KernelEstimate(
        kernel=trimmed(kernel).astype(np.float32),
        noise=seen.noise_given(left),
        confidence=confidence_in(answer, BY_SEARCHES if image_model is None else BY_SCREENINGS),
        plausible=np.stack(upon_the_first(answer.kernels)).astype(np.float32),
    )


def estimate_noise(
    images: np.ndarray | list[np.ndarray],
    kernel: np.ndarray,
    boundary: str = "camera",
    *,
    gamma: float = 1.0,
    jpeg: bool = True,
) -> float:
    """Estimates the noise of images whose blur kernel is known.

    The noise is measured at the frequencies where the blur leaves least of the image.

    Args:
        images, boundary, gamma: as for `estimate_kernel`.
        kernel: [height, width], or [height, width, 3] for one per channel.
        jpeg: whether the images may have been stored as JPEG, which removes the noise of the
            highest frequencies: these are left out. False is more exact for images that never
            were, and too low for those that were.

    Returns:
        The standard deviation of the noise relative to white, as restorers take it; at least that
        of rounding to 8 bits.

    Raises:
        ValueError: as for `estimate_kernel`, or values that cannot be a blur kernel.
    """
    kernel = blur_kernel(kernel)
    kernel = kernel.mean(axis=-1) if kernel.ndim == 3 else kernel
    images = _checked(images, boundary, SIZES[-1], gamma, None)
    seen = _Seen.of(images, circular=boundary == "circular")
    if not _fits(kernel, seen.patches):
        return seen.noise
    if jpeg:
        return seen.noise_given(_noise_in_jpeg(seen.measured, kernel))
    return seen.noise_given(min(noise_beside_blur(seen.measured, kernel), seen.measured.noise))


def _fits(kernel, patches):
    """Whether there are patches, and the kernel is no larger than one of them."""
    return len(patches) > 0 and bool(np.all(np.less_equal(kernel.shape, patches.shape[1:])))


@dataclasses.dataclass(frozen=True)
class _Seen:
    """The images that a kernel is sought in, prepared for the search.

    Attributes:
        images: list of the images as light, [height, width, channels].
        lumas: list of their lumas, [height, width].
        circular: whether the boundary is circular.
        noise: standard deviation of the images' noise.
        patches: of the lumas, [patches, height, width]; empty if nothing shows the blur.
        measured, few: `Measured` of all patches and, for the screening of many kernels, of a few
            pixels; None without patches.
    """

    images: list[np.ndarray]
    lumas: list[np.ndarray]
    circular: bool
    noise: float
    patches: np.ndarray
    measured: Measured | None
    few: Measured | None

    @classmethod
    def of(cls, images, circular):
        """Prepares images, given as light.

        Raises:
            ValueError: circular images of several sizes.
        """
        lumas = [image[..., 0] if image.shape[-1] == 1 else image @ LUMA for image in images]
        if circular and len({luma.shape for luma in lumas}) > 1:
            raise ValueError("Expected circular images of one size. Received: several sizes")
        noise, luma_noise = _noise_of(images), _noise_of([luma[..., np.newaxis] for luma in lumas])
        patches = _not_flat(lumas) if circular else informative_patches(lumas, luma_noise)
        measured = few = None
        if len(patches):
            measured = Measured.of(patches, circular, luma_noise)
            few = Measured.a_few(patches, circular, luma_noise)
        return cls(images, lumas, circular, noise, patches, measured, few)

    def noise_given(self, luma_noise):
        """The noise of the images, given that of the patches' luma beside the blur."""
        return float(max(self.noise * luma_noise / self.measured.noise, ROUNDING_SIGMA))


def _search_periods(seen, largest, told):
    """(`Answer` for images with a circular boundary, why it finds no blur or "")."""
    answer = search_kernel(seen.measured, seen.few, largest, told)
    return answer, why_it_finds_no_blur(answer)


def _search_twice(seen, largest, told):
    """(`Answer` for a camera's photographs, why it finds no blur or "").

    Few patches fit into a small photograph, and they leave much of it out. So the kernels are
    compared on a larger part, and sought there once more: more pixels make a kernel less noisy.
    """
    first = search_kernel(seen.measured, seen.few, largest, lambda s: told(SEARCH_SHARE * s))
    measured, proposals = seen.measured, first.candidates
    if len(seen.lumas) == 1:
        part = informative_part(seen.lumas[0], measured.noise, LARGER * seen.patches.size)
        if len(part):
            measured = Measured.of(part, False, measured.noise)
            proposals = *proposals, *independent_searches(measured, len(first.kernels[0]))
    told((1 + SEARCH_SHARE) / 2)
    answer = second_opinion(measured, first._replace(candidates=proposals))
    told(1.0)
    return answer, why_neither_finds_a_blur(first, answer)


def _checked(images, boundary, largest, gamma, image_model):
    """The images as light, checked to be fit for the search for a kernel.

    Raises:
        ValueError: as `estimate_kernel` does.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"Expected a boundary of {BOUNDARIES}. Received: {boundary!r}")
    check_positive("gamma", gamma)
    check_at_least("largest", largest, 3)
    if largest > SIZES[-1]:
        raise ValueError(
            f"Expected largest to be at most {SIZES[-1]} pixels, the largest kernel that can be "
            f"estimated. Received: {largest}"
        )
    images = [to_light(image, gamma) for image in images_of(images)]
    if image_model is not None:
        check_is_model(image_model)
        images = [_with_channels(image, image_model.shape[-1]) for image in images]
        image_model.check_measurements(images, boundary)
    least = min(extent for image in images for extent in image.shape[:2])
    if least < LEAST_SIDE:
        raise ValueError(
            f"Expected images of at least {LEAST_SIDE} pixels a side. Received: one of {least}"
        )
    return images


def _with_channels(image, channels):
    """The image, with a single channel repeated if more are wanted."""
    return image.repeat(channels, axis=-1) if image.shape[-1] == 1 else image


def _search_class(model, seen, largest, told):
    """(`Answer` for images of the class of a model, why it finds no blur or "")."""
    size = odd(min(largest, CLASS_SIZE, min(model.shape[:2]) // 2))
    proposals = []
    if len(seen.images) > 1:  # sparse gradients need several images to give a good kernel
        other = search_kernel(seen.measured, seen.few, largest, lambda s: told(s / 2))
        proposals = other.kernels[:1]
    kernel, gain, agreement, share = search_with_model(
        model,
        np.stack(seen.images),
        seen.noise,
        size,
        proposals=proposals,
        told=lambda s: told((1 + s) / 2 if proposals else s),
    )
    left = min(noise_beside_blur(seen.measured, centred(kernel)), seen.measured.noise)
    answer = Answer([kernel], gain, agreement, noise=left, share=share)
    return answer, why_it_finds_no_blur(answer)


def _not_flat(lumas):
    """[images, height, width], without the lumas that vary less than the least noise."""
    varying = [luma for luma in lumas if np.ptp(luma) > ROUNDING_SIGMA]
    return np.stack(varying) if varying else np.zeros((0, *lumas[0].shape), np.float32)


def _noise_of(images):
    """The noise in the finest wavelet details, where a blur leaves nothing else (Donoho 1994)."""
    of_channels = [
        skimage.restoration.estimate_sigma(_middle(image), channel_axis=-1) for image in images
    ]
    # A channel without any details, such as a flat one, has NaN there.
    sigmas = [np.mean(np.nan_to_num(sigmas)) for sigmas in of_channels]
    return max(float(np.median(sigmas)), ROUNDING_SIGMA)


def _middle(image):
    """The central part of a photograph, of a megapixel at most."""
    tops = [max(extent - NOISE_SIDE, 0) // 2 for extent in image.shape[:2]]
    return image[tops[0] : tops[0] + NOISE_SIDE, tops[1] : tops[1] + NOISE_SIDE]


def _noise_in_jpeg(measured, kernel):
    """The noise of the luma of a photograph that may have been stored as JPEG.

    JPEG removes the noise of the highest frequencies only.
    """
    left = noise_beside_blur(measured, kernel, HIGHEST_IN_JPEG)
    return min(left, MOST_HIDDEN * measured.noise)


def _no_blur(noise, reason):
    return KernelEstimate(np.ones((1, 1), np.float32), noise, 0.0, reason)
