"""PSNR and SSIM per image, under an explicit profile, without which numbers are not comparable."""

import dataclasses

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.arrays import as_floats, check_scale
from inversenet_tf.imaging.checks import check_at_least, check_choice
from inversenet_tf.imaging.physics.noise import round_to_8_bits

SSIM_WINDOW = 11  # Gaussian, sigma 1.5: Wang et al. 2004, as in tf.image.ssim and scikit-image
GREATEST_PSNR = 58.9  # dB: what the error of rounding to 8 bits amounts to


@dataclasses.dataclass(slots=True)
class MetricProfile:
    """How two images are prepared before they are compared.

    Attributes:
        channels: "rgb" compares all channels, "y" the BT.601 luma of full range, from 0 to 1. That
            of papers on upsampling has 16 to 235 of 255 levels: its PSNR is 1.3 dB higher.
        crop: pixels removed from every border.
        rounding: whether both images are rounded to 8 bits, as stored files would be.
    """

    channels: str = "rgb"
    crop: int = 0
    rounding: bool = True

    def validate(self):
        """Raises ValueError for a value outside its set."""
        check_choice("metrics.channels", self.channels, ("rgb", "y"))
        check_at_least("metrics.crop", self.crop, 0)

    def stamp(self):
        """Returns what results record about their metrics: this profile and fixed conventions."""
        return dataclasses.asdict(self) | {
            "data_range": 1.0,
            "clip": [0.0, 1.0],
            "luma": "BT.601, full range",
            "ssim": f"Gaussian {SSIM_WINDOW}x{SSIM_WINDOW}, sigma 1.5, K1 0.01, K2 0.03, valid",
            "average": "mean of the per-image values",
        }

    def prepare(self, images):
        """Converts [..., height, width, channels] to the values compared, clipped to [0, 1].

        Args:
            images: a tensor, an array or nested lists.

        Raises:
            ValueError: values of an unsuitable type or scale, or nothing is left by the crop.
        """
        if not tf.is_tensor(images):
            images = np.asarray(images)
            check_scale(images)  # an estimate may leave [0, 1], but must not be on a file's scale
        images = tf.clip_by_value(tf.cast(as_floats(images), tf.float32), 0.0, 1.0)
        if self.rounding:
            images = round_to_8_bits(images)
        if self.channels == "y" and images.shape[-1] == 3:
            images = tf.image.rgb_to_grayscale(images)
        if self.crop:
            self._check_crop(images.shape)
            images = images[..., self.crop : -self.crop, self.crop : -self.crop, :]
        return images

    def _check_crop(self, shape):
        """Raises ValueError if the crop leaves no pixel of images of a shape."""
        if any(side is not None and side <= 2 * self.crop for side in shape[-3:-1]):
            raise ValueError(
                f"Expected sides of more than {2 * self.crop} pixels, as metrics.crop removes "
                f"{self.crop} from every border. Received: shape {tuple(shape)}"
            )


def psnr(
    estimates: tf.Tensor, images: tf.Tensor, profile: MetricProfile | None = None
) -> tf.Tensor:
    """Peak signal-to-noise ratio in dB; the data range is 1.

    Args:
        estimates, images: [batch, height, width, channels] or [height, width, channels] in [0, 1].
        profile: how the images are prepared; by default all channels, rounded to 8 bits.

    Returns:
        One number for each image, [batch] or a scalar; at most `GREATEST_PSNR`, even for equal
        images, so that no mean is infinite.

    Raises:
        ValueError: as `MetricProfile.prepare` does.
    """
    profile = profile or MetricProfile()
    value = tf.image.psnr(profile.prepare(estimates), profile.prepare(images), max_val=1.0)
    return tf.minimum(value, GREATEST_PSNR)


def ssim(
    estimates: tf.Tensor, images: tf.Tensor, profile: MetricProfile | None = None
) -> tf.Tensor:
    """Structural similarity (Wang et al. 2004) of each image.

    Args, returns:
        As `psnr`.

    Raises:
        ValueError: a side, after the profile's crop, is smaller than the window; or as for `psnr`.
    """
    profile = profile or MetricProfile()
    estimates, images = profile.prepare(estimates), profile.prepare(images)
    if any(side is not None and side < SSIM_WINDOW for side in images.shape[-3:-1]):
        raise ValueError(
            f"Expected sides of at least {SSIM_WINDOW} pixels for SSIM. Received: {images.shape}"
        )
    return tf.image.ssim(estimates, images, max_val=1.0)


def intensity_normalised(images: np.ndarray) -> np.ndarray:
    """Scales each image [..., height, width, channels] to fill [0, 1]."""
    images = np.asarray(images, np.float32)
    least = images.min((-3, -2, -1), keepdims=True)
    reach = images.max((-3, -2, -1), keepdims=True) - least
    return (images - least) / np.maximum(reach, 1e-6)


def matched_to_sources(
    estimates: np.ndarray, sources: np.ndarray, profile: MetricProfile
) -> tuple[np.ndarray, np.ndarray]:
    """Matches separated images to the sources in order, sign and intensity.

    No separation can determine these three, so every method is granted the best choice:
    intensities are normalised on both sides, an estimate may be inverted, and the order is the
    assignment of greatest mean PSNR.

    Args:
        estimates: [problems, M, height, width, channels], of any range; M >= S.
        sources: [problems, S, height, width, channels].
        profile: a `MetricProfile`.

    Returns:
        (matched, normalised): the estimates in the order of the sources, and the normalised
        sources; both [problems, S, ...] in [0, 1].
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and only needed here

    separated, wanted = intensity_normalised(estimates), intensity_normalised(sources)
    both_signs = np.concatenate([separated, 1.0 - separated], axis=1)  # [problems, 2 * M, ...]
    problems, count, *shape = both_signs.shape
    pairs = (problems, wanted.shape[1], count, *shape)
    scores = psnr(
        np.broadcast_to(both_signs[:, None], pairs).reshape(-1, *shape),
        np.broadcast_to(wanted[:, :, None], pairs).reshape(-1, *shape),
        profile,
    )
    scores = scores.numpy().reshape(*pairs[:2], 2, separated.shape[1])  # [problems, S, 2, M]
    matched = np.empty_like(wanted)
    for problem, score in enumerate(scores):
        for source, estimate in zip(*linear_sum_assignment(-score.max(1)), strict=True):
            sign = score[source, :, estimate].argmax()
            matched[problem, source] = both_signs[problem, sign * separated.shape[1] + estimate]
    return matched, wanted
