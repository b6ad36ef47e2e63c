"""PSNR and SSIM per image, under a stated profile: numbers without one cannot be compared."""

import dataclasses

import tensorflow as tf

from inversenet_tf.imaging.checks import check_at_least, check_choice
from inversenet_tf.imaging.noise import round_to_8_bits

SSIM_WINDOW = 11  # Gaussian, sigma 1.5: Wang et al. 2004, as tf.image.ssim and scikit-image have it


@dataclasses.dataclass(slots=True)
class MetricProfile:
    """How two images are made ready before they are compared.

    Attributes:
        channels: "rgb" compares all channels, "y" the BT.601 luma.
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
        """What a result says about its metrics: this profile and the fixed conventions."""
        return dataclasses.asdict(self) | {
            "data_range": 1.0,
            "clip": [0.0, 1.0],
            "ssim": f"Gaussian {SSIM_WINDOW}x{SSIM_WINDOW}, sigma 1.5, K1 0.01, K2 0.03, valid",
            "average": "mean of the per-image values",
        }

    def prepare(self, images):
        """[batch, height, width, channels] in [0, 1] -> what is compared, clipped to [0, 1]."""
        images = tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 1.0)
        if self.rounding:
            images = round_to_8_bits(images)
        if self.channels == "y" and images.shape[-1] == 3:
            images = tf.image.rgb_to_grayscale(images)
        if self.crop:
            images = images[:, self.crop : -self.crop, self.crop : -self.crop]
        return images


def psnr(estimates, images, profile):
    """Peak signal-to-noise ratio in dB of each image: [batch]; data range 1."""
    return tf.image.psnr(profile.prepare(estimates), profile.prepare(images), max_val=1.0)


def ssim(estimates, images, profile):
    """Structural similarity of each image: [batch].

    Raises:
        ValueError: a side, after the profile's crop, is smaller than the window.
    """
    estimates, images = profile.prepare(estimates), profile.prepare(images)
    if any(side is not None and side < SSIM_WINDOW for side in images.shape[1:3]):
        raise ValueError(
            f"Expected sides of at least {SSIM_WINDOW} pixels for SSIM. Received: {images.shape}"
        )
    return tf.image.ssim(estimates, images, max_val=1.0)
