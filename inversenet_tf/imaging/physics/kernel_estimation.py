"""The blur of photographs, found from themselves: kernel, noise, and how far to trust both.

Two searches work together. Maximum a posteriori with sparse gradients, from coarse to fine (Xu,
Zheng and Jia 2013), proposes kernels: the image and the kernel are improved in turns, and one
kernel serves all images. It depends on how sparse the gradients are taken to be, so it is run for
several answers. The marginal likelihood of the gradients under a sparse prior, whose uncertainty
is taken into account (Wipf and Zhang 2014), then says which proposal explains the images best, "no
blur" being one of them. It needs no truth, and unlike the first it does not prefer to explain a
blurred image by a blurred scene.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable

import numpy as np
import skimage.restoration
import threadpoolctl

from inversenet_tf.imaging.arrays import images_of
from inversenet_tf.imaging.checks import check_positive
from inversenet_tf.imaging.files.pixels import LUMA
from inversenet_tf.imaging.physics.blur_model import (
    LUMA_NOISE,
    Measured,
    correlations,
    marginal_cost,
    marginal_costs,
    noise_beside_blur,
    sparse_estimate,
)
from inversenet_tf.imaging.physics.image_model import ImageModel
from inversenet_tf.imaging.physics.image_model_search import search_with_model
from inversenet_tf.imaging.physics.informative import informative_patches
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.kernel_least_squares import non_negative_least_squares
from inversenet_tf.imaging.physics.kernel_shape import (
    centred,
    cleaned,
    radius_of,
    reaches_border,
    resized,
    similarity,
    trimmed,
    upon_the_first,
)
from inversenet_tf.imaging.physics.kernels import disk, gaussian, line
from inversenet_tf.imaging.physics.light import to_light

BOUNDARIES = ("camera", "reflect", "circular")
NOISE_SIDE = 1024  # pixels a side of the middle that the noise is estimated in
LEAST_SIDE = 32  # pixels of an image that a kernel can be sought in
SIZES = (27, 43)  # sides of the kernels sought: the second where the first was too small
CLASS_SIZE = 31  # side of the kernels sought with an image model
SMALLEST_SIZE = 5  # side of the kernel at the coarsest scale
ROUNDS = 5  # of image and kernel by turns, at a scale
LAST_ROUNDS = 8  # at the finest
# Starting weights of the number of gradients that are not zero: the larger, the stronger an edge
# must be at first; and the step from one scale to the next coarser one. Which is best depends on
# the images: they are all tried.
SEARCHES = ((0.004, 0.7), (0.01, 0.7), (0.02, 0.7), (0.04, 0.7), (0.01, 0.6), (0.02, 0.6))
SPARSITY_DECAY = 1.1  # from round to round
REFINEMENT = np.geomspace(1e-3, 1e-5, 16)  # weights of the last rounds, for the best proposal
RIDGE = 1e-3  # of the kernel's least squares, of the gradients' energy
NEGLIGIBLE = 0.05, 0.02  # of a kernel's greatest value: of proposals, and of the refined kernel
GAUSSIANS = (0.5, 0.8, 1.2, 1.8, 2.6, 3.6, 5.0)  # standard deviations
DISKS = (1.5, 2.5, 4.0, 6.0, 9.0)  # radii
LINES = (5, 9, 14, 20, 26)  # lengths
ANGLES = np.arange(12) * np.pi / 12
SHAPES_KEPT = 3
HIGHEST_IN_JPEG, MOST_HIDDEN = 0.35, 4.0  # frequency; noise, of what the finest details tell
FAVOURITES = 2  # proposals that are refined
# A kernel is plausible beside the best where it loses at most that part of the best one's gain in
# likelihood over no blur. The likelihood alone would leave the best one only, as it takes
# neighbouring pixels for independent.
PLAUSIBLE_LOSS = 0.1
LEAST_SPREAD = 0.9  # pixels, below which an image counts as sharp
CLEAR_GAIN = 0.04  # of log likelihood a pixel over no blur, below which there is no blur
TRUSTED_GAIN = 0.15  # from which the kernel is trusted fully
# The searches know nothing of each other. How similar to the result the second nearest of them is
# tells whether it is right: of 22 photographs for training, each with a shake of Levin's and noise
# of 0.005, the four results that were less than 0.7 similar to the truth had 0.65 to 0.72, the
# others 0.80 and more. Between these two the confidence rises from 0 to 1.
DISAGREEMENT, AGREEMENT = 0.6, 0.8
ROUNDING_SIGMA = 1 / 255 / np.sqrt(12)  # of storage in 8 bits
LUMA_ROUNDING = ROUNDING_SIGMA * np.sqrt(LUMA_NOISE)


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

    Of photographs the patches that tell most are looked at, see `informative_patches`, and of
    colours only the luma. With an image model all pixels and colours are.

    Example:
        ```python
        estimate = inversenet_tf.estimate_kernel(blurred)
        if estimate.is_blur:
            restored = restorer(blurred, kernel=estimate.kernel, noise=estimate.noise)
        ```

    Args:
        images: [height, width], [height, width, channels], [batch, height, width, channels], or a
            list of images of any sizes; in [0, 1], or integers of 8 or 16 bits.
        boundary: "camera" (or "reflect", the same) where nothing is known beyond the frame;
            "circular" for simulations, whose images must be of one size.
        largest: side in pixels of the largest kernel that is sought.
        gamma: of the images' encoding: light is their value to that power, and it is light that is
            blurred. About 2.2 for most cameras' files; 1 takes the values for light, as
            simulations do. The noise that is found is that of the light.
        progress: called with the fraction of the work that is done.
        image_model: what sharp images of this class look like, framed as these are, such as
            aligned faces; for the boundary "circular". It tells the shift of the blur, too, so
            that the kernel's centre of mass stays where it was found.

    Raises:
        ValueError: another boundary, rank or range, a gamma that is not positive, images of
            fewer than 32 pixels a side, or of another shape than the image model's.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"Expected a boundary of {BOUNDARIES}. Received: {boundary!r}")
    check_positive("gamma", gamma)
    images = [to_light(image, gamma) for image in images_of(images)]
    if image_model is not None:
        image_model.check_measurements(images, boundary)
    least = min(extent for image in images for extent in image.shape[:2])
    if least < LEAST_SIDE:
        raise ValueError(
            f"Expected images of at least {LEAST_SIDE} pixels a side. Received: one of {least}"
        )
    lumas = [image[..., 0] if image.shape[-1] == 1 else image @ LUMA for image in images]
    noise, luma_noise = _noise_of(images), _noise_of([luma[..., np.newaxis] for luma in lumas])
    circular = boundary == "circular"
    if circular and len({luma.shape for luma in lumas}) > 1:
        raise ValueError("Expected circular images of one size. Received: several sizes")
    patches = np.stack(lumas) if circular else informative_patches(lumas, luma_noise)
    if len(patches) == 0:
        return _no_blur(noise, "The image is flat or overexposed: nothing in it shows the blur.")
    measured = Measured.of(patches, circular, luma_noise)
    few = Measured.a_few(patches, circular, luma_noise)
    told = progress or (lambda fraction: None)
    if image_model is not None:
        return _of_class(
            model=image_model,
            images=np.stack(images),
            measured=measured,
            few=few,
            noise=noise,
            largest=largest,
            told=told,
        )
    plausible, gain, agreement, left = _search_sizes(measured, few, largest, told)
    kernel = plausible[0]
    if radius_of(kernel) < LEAST_SPREAD:
        return _no_blur(noise, "The image is sharp: a blur that small is left as it is.")
    if gain < CLEAR_GAIN:
        return _no_blur(noise, "No blur explains the image clearly better than none.")
    agreed = np.clip((agreement - DISAGREEMENT) / (AGREEMENT - DISAGREEMENT), 0.0, 1.0)
    confidence = float(agreed * np.clip(gain / TRUSTED_GAIN, 0.0, 1.0))
    if not circular:  # JPEG takes the noise out of the highest frequencies, and of no others
        left = noise_beside_blur(measured, kernel, HIGHEST_IN_JPEG)
        left = min(left, MOST_HIDDEN * luma_noise)
    noise = max(noise * left / luma_noise, ROUNDING_SIGMA)
    kernel = trimmed(kernel).astype(np.float32)
    plausible = np.stack(upon_the_first(plausible)).astype(np.float32)
    return KernelEstimate(kernel, float(noise), confidence, plausible=plausible)


def _of_class(*, model, images, measured, few, noise, largest, told):
    """The `KernelEstimate` of images of a class that an image model knows."""
    size = min(largest, CLASS_SIZE, _odd(min(model.shape[:2]) // 2))
    proposals = []
    if len(images) > 1:  # which the sparse gradients of several images tell well, of one hardly
        others, *_ = _search_sizes(measured, few, largest, lambda fraction: told(fraction / 2))
        proposals = others[:1]
    kernel, gain = search_with_model(
        model,
        images,
        noise,
        size,
        proposals=proposals,
        told=lambda fraction: told((1 + fraction) / 2 if proposals else fraction),
    )
    if radius_of(centred(kernel)) < LEAST_SPREAD:  # wherever the class says that it is
        return _no_blur(noise, "The image is sharp: a blur that small is left as it is.")
    if gain < CLEAR_GAIN:
        return _no_blur(noise, "No blur explains the image clearly better than none.")
    left = min(noise_beside_blur(measured, centred(kernel)), measured.noise)
    noise = max(noise * left / measured.noise, ROUNDING_SIGMA)
    kernel = trimmed(kernel).astype(np.float32)
    confidence = float(np.clip(gain / TRUSTED_GAIN, 0.0, 1.0))
    return KernelEstimate(kernel, float(noise), confidence, plausible=kernel[np.newaxis])


def _search_sizes(measured, few, largest, progress):
    """Of the first size that the kernel does not fill, what `_search` finds."""
    most = min(largest, min(measured.images.shape[1:]) // 2)  # a larger blur leaves too little
    sizes = [size for size in SIZES if size <= most] or [_odd(most)]
    for i, size in enumerate(sizes):
        plausible, gain, agreement, noise = _search(
            measured, few, size, lambda share, i=i: progress((i + share) / len(sizes))
        )
        if not reaches_border(plausible[0]):
            break
    progress(1.0)
    return plausible, gain, agreement, noise


def _noise_of(images):
    """By the finest details of a wavelet, where a blur leaves only noise (Donoho 1994)."""
    sigmas = [
        skimage.restoration.estimate_sigma(_middle(image), channel_axis=-1, average_sigmas=True)
        for image in images
    ]
    return max(float(np.median(sigmas)), ROUNDING_SIGMA)


def _middle(image):
    """At most a megapixel of a photograph."""
    tops = [max(extent - NOISE_SIDE, 0) // 2 for extent in image.shape[:2]]
    return image[tops[0] : tops[0] + NOISE_SIDE, tops[1] : tops[1] + NOISE_SIDE]


def _no_blur(noise, reason):
    return KernelEstimate(np.ones((1, 1), np.float32), noise, 0.0, reason)


def _odd(size):
    return size - 1 + size % 2


def _search(measured, few, size, told):
    """The best kernels of a size.

    Returns:
        (the plausible kernels, the best first; its gain over no blur in log likelihood a pixel;
        how far the searches agree on it; the noise of the luma).
    """
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1.0
    # The searches know nothing of each other. Each is a thread, and so no library makes more.
    with (
        threadpoolctl.threadpool_limits(1, "blas"),
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        searches = [pool.submit(_propose, measured, size, *search) for search in SEARCHES]
        shapes = pool.submit(_likeliest_shapes, few, size)
        for i, _ in enumerate(concurrent.futures.as_completed(searches)):
            told((i + 1) / (len(SEARCHES) + 2))
        shapes, searches = shapes.result(), [search.result() for search in searches]
        proposals = [point, *shapes, *searches]
        costs = _costs_of(pool, measured, proposals)
        best = int(np.argmin(costs))
        if best == 0:
            return [point], 0.0, 0.0, measured.noise
        # The noise was estimated before anything was known of the blur, and is rather too high
        # where it is weak: now it is what stands in the frequencies that the blur leaves nothing
        # else in.
        order = [i for i in np.argsort(costs) if i > 0]
        favourites = [proposals[i] for i in order[:FAVOURITES] if costs[i] < costs[0]]
        others = [proposals[i] for i in order[len(favourites) :] if _is_near(costs, i)]
        noise = min(noise_beside_blur(measured, favourites[0]), measured.noise)
        measured = dataclasses.replace(measured, noise=max(noise, LUMA_ROUNDING))
        refined = pool.map(lambda kernel: _refine(measured, kernel), favourites)
        kernels = [point, *favourites, *refined, *others]
        costs = _costs_of(pool, measured, kernels)
    best = 1 + int(np.argmin(costs[1 : 1 + 2 * len(favourites)]))
    near = [i for i in np.argsort(costs) if i not in (0, best) and _is_near(costs, i, best)]
    plausible = [centred(kernels[best]), *(kernels[i] for i in near)]
    agreement = _agreement(kernels[best], shapes, searches)
    return plausible, costs[0] - costs[best], agreement, measured.noise


def _agreement(kernel, shapes, searches):
    """How similar to a kernel the second nearest of the independent searches is.

    Where it is the nearest to a shape of a formula, which the searches easily miss, the shapes
    beside it count as well.
    """
    of_searches, of_shapes = (
        sorted(similarity(kernel, other) for other in others) for others in (searches, shapes)
    )
    if of_shapes[-1] > of_searches[-1]:
        return sorted(of_searches + of_shapes)[-2]
    return of_searches[-2]


def _is_near(costs, place, best=None):
    """Whether a kernel gains nearly as much over no blur, the first, as the best one."""
    gains = costs[0] - np.array(costs)
    return gains[place] >= (1 - PLAUSIBLE_LOSS) * (gains.max() if best is None else gains[best])


def _costs_of(pool, measured, kernels):
    """The marginal cost of each."""
    return list(pool.map(lambda kernel: marginal_cost(measured, kernel), kernels))


def _likeliest_shapes(measured, size):
    """The best few of blurs that have a formula: Gaussians, disks and lines."""
    shapes = [gaussian(size, sigma) for sigma in GAUSSIANS if sigma < size / 5]
    shapes += [disk(size, radius) for radius in DISKS if radius < size / 2]
    lengths = [length for length in LINES if length < size]
    shapes += [line(size, length, angle) for length in lengths for angle in ANGLES]
    costs = marginal_costs(measured, shapes)
    return [shapes[i] for i in np.argsort(costs)[:SHAPES_KEPT]]


def _propose(measured, size, sparsity, step):
    """Kernel and image by turns, from coarse to fine."""
    sizes = [size]
    while sizes[-1] > SMALLEST_SIZE:
        sizes.append(_odd(int(np.ceil(sizes[-1] * step))))
    kernel = np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0]]) / 3
    for side in reversed(sizes):
        scaled = measured.scaled(side / size)
        kernel = centred(resized(kernel, side))
        for _ in range(LAST_ROUNDS if side == size else ROUNDS):
            kernel = _improved(scaled, kernel, sparsity, NEGLIGIBLE[0])
            sparsity = max(sparsity / SPARSITY_DECAY, 1e-4)
    return kernel


def _refine(measured, kernel):
    """More rounds at the full size, with ever weaker edges."""
    for sparsity in REFINEMENT:
        kernel = _improved(measured, kernel, sparsity, NEGLIGIBLE[1])
    return kernel


def _improved(measured, kernel, sparsity, negligible):
    """One round: the image for the kernel, then the kernel for the image's gradients."""
    gradients = sparse_estimate(measured, kernel, sparsity)
    if not gradients.any():
        return kernel
    autocorrelation, target = correlations(measured, gradients, len(kernel))
    middle = len(kernel) - 1
    autocorrelation[middle, middle] *= 1 + RIDGE
    better = non_negative_least_squares(autocorrelation, target, kernel)
    return cleaned(better, negligible) if better.sum() > 0 else kernel
