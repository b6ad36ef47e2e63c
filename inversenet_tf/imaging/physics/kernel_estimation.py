"""The blur of photographs, found from themselves: kernel, noise, and how far to trust both.

Two searches work together. Maximum a posteriori with sparse gradients, from coarse to fine (Xu,
Zheng and Jia 2013), proposes kernels: the image and the kernel are improved in turns, and one
kernel serves all images. It depends on how sparse the gradients are taken to be, so it is run for
several answers. The marginal likelihood of the gradients under a sparse prior, whose uncertainty
is taken into account (Wipf and Zhang 2014), then says which proposal explains the images best, "no
blur" being one of them. It needs no truth, and unlike the first it does not prefer to explain a
blurred image by a blurred scene.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import scipy.fft
import scipy.ndimage
import skimage.restoration

from inversenet_tf.imaging.arrays import images_of
from inversenet_tf.imaging.files.images import LUMA
from inversenet_tf.imaging.physics.blur_model import (
    LUMA_NOISE,
    Measured,
    correlations,
    marginal_cost,
    noise_beside_blur,
    sparse_estimate,
)
from inversenet_tf.imaging.physics.informative import informative_patches
from inversenet_tf.imaging.physics.kernels import disk, gaussian, line

BOUNDARIES = ("camera", "reflect", "circular")
NOISE_SIDE = 1024  # pixels a side of the middle that the noise is estimated in
LEAST_SIDE = 32  # pixels of an image that a kernel can be sought in
SIZES = (27, 43)  # sides of the kernels sought: the second where the first was too small
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
LEAST_SPREAD = 0.9  # pixels, below which an image counts as sharp
CLEAR_GAIN = 0.04  # of log likelihood a pixel over no blur, below which there is no blur
TRUSTED_GAIN = 0.15  # from which the kernel is trusted fully
ROUNDING_SIGMA = 1 / 255 / np.sqrt(12)  # of storage in 8 bits
LUMA_ROUNDING = ROUNDING_SIGMA * np.sqrt(LUMA_NOISE)


@dataclasses.dataclass(frozen=True)
class KernelEstimate:
    """What was found.

    Attributes:
        kernel: float32 [size, size], odd, non-negative, of sum 1, its centre of mass at the middle;
            [[1.]] where there is no blur or none that can be trusted.
        noise: standard deviation of the noise, of white as 1.
        confidence: from 0, no better than no blur, to 1.
        reason: why the kernel is a single point, as a sentence; empty where it is not.
    """

    kernel: np.ndarray
    noise: float
    confidence: float
    reason: str = ""

    @property
    def is_blur(self) -> bool:
        """Whether a blur was found."""
        return self.kernel.size > 1


def estimate_kernel(
    images: np.ndarray | list[np.ndarray],
    boundary: str = "camera",
    *,
    largest: int = SIZES[-1],
    progress: Callable[[float], None] | None = None,
) -> KernelEstimate:
    """Finds the blur that an image has, or that several images share.

    Of photographs the patches that tell most are looked at, see `informative_patches`, and of
    colours only the luma.

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
        progress: called with the fraction of the work that is done.

    Raises:
        ValueError: another boundary, rank or range, or images of fewer than 32 pixels a side.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"Expected a boundary of {BOUNDARIES}. Received: {boundary!r}")
    images = images_of(images)
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
    kernel, gain, left = _search_sizes(measured, few, largest, progress or (lambda fraction: None))
    if _spread(kernel) < LEAST_SPREAD:
        return _no_blur(noise, "The image is sharp: a blur that small is left as it is.")
    if gain < CLEAR_GAIN:
        return _no_blur(noise, "No blur explains the image clearly better than none.")
    confidence = float(np.clip(gain / TRUSTED_GAIN, 0.0, 1.0))
    if not circular:  # JPEG takes the noise out of the highest frequencies, and of no others
        left = noise_beside_blur(measured, kernel, HIGHEST_IN_JPEG)
        left = min(left, MOST_HIDDEN * luma_noise)
    noise = max(noise * left / luma_noise, ROUNDING_SIGMA)
    return KernelEstimate(_trimmed(kernel).astype(np.float32), float(noise), confidence)


def _search_sizes(measured, few, largest, progress):
    """Of the first size that the kernel does not fill, what `_search` finds."""
    most = min(largest, min(measured.images.shape[1:]) // 2)  # a larger blur leaves too little
    sizes = [size for size in SIZES if size <= most] or [_odd(most)]
    for i, size in enumerate(sizes):
        kernel, gain, noise = _search(
            measured, few, size, lambda share, i=i: progress((i + share) / len(sizes))
        )
        if not _reaches_border(kernel):
            break
    progress(1.0)
    return kernel, gain, noise


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
    """The best kernel of a size.

    Returns:
        (kernel, gain over no blur in log likelihood a pixel, noise of the luma).
    """
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1.0
    proposals = [point, *_likeliest_shapes(few, size)]
    for i, (sparsity, step) in enumerate(SEARCHES):
        proposals.append(_propose(measured, size, sparsity, step))
        told((i + 1) / (len(SEARCHES) + 2))
    costs = [marginal_cost(measured, kernel) for kernel in proposals]
    best = int(np.argmin(costs))
    if best == 0:
        return point, 0.0, measured.noise
    # The noise was estimated before anything was known of the blur, and is rather too high where it
    # is weak: now it is what stands in the frequencies that the blur leaves nothing else in.
    favourites = [proposals[i] for i in np.argsort(costs)[:FAVOURITES] if i > 0]
    noise = min(noise_beside_blur(measured, favourites[0]), measured.noise)
    measured = dataclasses.replace(measured, noise=max(noise, LUMA_ROUNDING))
    candidates = [*favourites, *(_refine(measured, kernel) for kernel in favourites)]
    kernel = min(candidates, key=lambda candidate: marginal_cost(measured, candidate))
    gain = marginal_cost(measured, point) - marginal_cost(measured, kernel)
    return _centred(kernel), gain, measured.noise


def _likeliest_shapes(measured, size):
    """The best few of blurs that have a formula: Gaussians, disks and lines."""
    shapes = [gaussian(size, sigma) for sigma in GAUSSIANS if sigma < size / 5]
    shapes += [disk(size, radius) for radius in DISKS if radius < size / 2]
    lengths = [length for length in LINES if length < size]
    shapes += [line(size, length, angle) for length in lengths for angle in ANGLES]
    costs = [marginal_cost(measured, shape) for shape in shapes]
    return [shapes[i] for i in np.argsort(costs)[:SHAPES_KEPT]]


def _propose(measured, size, sparsity, step):
    """Kernel and image by turns, from coarse to fine."""
    sizes = [size]
    while sizes[-1] > SMALLEST_SIZE:
        sizes.append(_odd(int(np.ceil(sizes[-1] * step))))
    kernel = np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0]]) / 3
    for side in reversed(sizes):
        scaled = measured.scaled(side / size)
        kernel = _centred(_resized(kernel, side))
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
    return _cleaned(better, negligible) if better.sum() > 0 else kernel


def non_negative_least_squares(autocorrelation, target, start, steps=60):
    """argmin 1/2 k'Mk - t'k with k >= 0, by accelerated projected gradients (Nesterov 1983).

    M k is a convolution with the autocorrelation.
    """
    side = len(target)
    extent = [scipy.fft.next_fast_len(3 * side - 2, real=True)] * 2
    transfer = scipy.fft.rfft2(autocorrelation, extent)

    def times(kernel):
        full = scipy.fft.irfft2(transfer * scipy.fft.rfft2(kernel, extent), extent)
        return full[side - 1 : 2 * side - 1, side - 1 : 2 * side - 1]

    direction = np.ones_like(target)
    for _ in range(15):  # the largest eigenvalue
        direction = times(direction / np.linalg.norm(direction))
    rate = 1 / (1.05 * np.linalg.norm(direction))
    kernel, ahead, momentum = start, start, 1.0
    for _ in range(steps):
        following = np.maximum(ahead - rate * (times(ahead) - target), 0.0)
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / next_momentum * (following - kernel)
        kernel, momentum = following, next_momentum
    return kernel


def _cleaned(kernel, negligible):
    """Without its negligible values and small islands, of sum 1."""
    kernel = np.where(kernel < negligible * kernel.max(), 0.0, kernel)
    islands, count = scipy.ndimage.label(kernel > 0, np.ones((3, 3)))
    masses = scipy.ndimage.sum(kernel, islands, range(count + 1))
    small = masses < 0.1 * kernel.sum()
    if not small[1:].all():
        kernel = np.where(small[islands], 0.0, kernel)
    return kernel / kernel.sum()


def _centre_of_mass(kernel):
    """Its distance from the middle, in pixels."""
    return np.array(scipy.ndimage.center_of_mass(kernel)) - np.array(kernel.shape) // 2


def _centred(kernel):
    """Moved by whole pixels, which keep it sharp, so that its centre of mass is at the middle."""
    distance = np.rint(_centre_of_mass(kernel)).astype(int)
    return np.roll(kernel, -distance, axis=(0, 1))


def _resized(kernel, side):
    scaled = np.maximum(scipy.ndimage.zoom(kernel, side / len(kernel), order=1), 0.0)
    return scaled / scaled.sum()


def _spread(kernel):
    """The root mean square distance of a kernel's mass from its centre, in pixels."""
    squares = (np.arange(len(kernel)) - len(kernel) // 2) ** 2
    return float(np.sqrt((kernel * np.add.outer(squares, squares)).sum() / kernel.sum()))


def _reaches_border(kernel):
    """Whether a kernel is likely cut off by its size."""
    inner = kernel[1:-1, 1:-1]
    return kernel.sum() - inner.sum() > 0.02


def _trimmed(kernel):
    """The smallest odd square around the middle that holds all of the kernel."""
    middle = len(kernel) // 2
    places = np.argwhere(kernel > 0)
    reach = int(np.abs(places - middle).max())
    return kernel[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
