"""The part of an experiment's config that concerns images, measurements and the hardware."""

import dataclasses
import math

from inversenet_tf.imaging.checks import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
    check_range,
)
from inversenet_tf.imaging.metrics import SSIM_WINDOW
from inversenet_tf.imaging.renamed import Renamed

AUGMENTATIONS = ("none", "flip", "dihedral")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
STRATEGIES = ("auto", "default", "mirrored", "multi_worker")
# The names that a config may use. They are resolved in `physics.operators.OPERATORS` and
# `physics.kernels.KERNELS`, which need not be imported to read a config.
OPERATORS = ("blur", "identity", "downsampling", "joint")
CUSTOM = "custom"  # an operator or noise that the caller passed to `train`
VARIED = "varied"  # each image has its own kernel and noise: `physics.varied.VariedBlur`
UNCERTAIN = "uncertain"  # an estimated kernel and plausible alternatives: `physics.uncertain`
GIVEN = "given"  # the kernel of a `Blur` that the caller passed, kept in the work directory
KERNELS = (
    *("linear_motion", "camera_shake", "gaussian", "chromatic", "flat", "bicubic", "sobel"),
    "file",
)
SIGNED_KERNELS = ("sobel",)
BOUNDARIES = ("circular", "reflect")
REDUCING = ("downsampling", "joint")  # operators with fewer measured pixels than image pixels
LARGEST_KERNEL = 1024  # side in pixels
MOST_REPLICAS = 1024


@dataclasses.dataclass(slots=True)
class DataConfig:
    """Which images are used, and which part of each.

    Pairs are only cropped: scaling or rotating them would make them pairs of another operator.
    """

    train: str = "photos"  # a source, as `open_source` takes it
    validation: str = "photos"  # likewise; held-out images, by which a checkpoint is chosen
    test: str = ""  # likewise; images for results only, which choose nothing; "": `reporting.py`
    size: int = 64  # side of a training patch in pixels
    padding: int = 0  # black pixels added around every image, before anything else
    channels: int = 3  # 1 or 3
    crop: str = "center"  # training patches: "center" or "random"
    crop_size: int = 0  # side of the central crop, scaled down to `size`; 0: `size` itself
    # The same as a fraction of the image's short side; 0: `crop_size` decides
    crop_fraction: float = 0.0
    # Pixels around a random patch that are measured with it and then cut off, so that nothing is
    # learned from a blur that wrapped around the patch's border. Paper: none
    margin: int = 0
    min_scale: float = 1.0  # random patches are scaled down by a factor in [min_scale, 1]
    # Of training patches: "flip" mirrors left and right, "dihedral" uses all eight symmetries
    augmentation: str = "none"
    evaluation_crop: str = "center"  # "center" (size x size) or "whole" images
    validation_limit: int = 100  # images validated on after every epoch, drawn by training.seed
    crop_share = Renamed("crop_fraction")

    def center_side(self, image_shape):
        """Side in pixels of the central crop of an image of shape (height, width, ...)."""
        if self.crop_fraction:
            return round(self.crop_fraction * min(image_shape[:2]))
        return self.crop_size or self.size

    @property
    def minimum_side(self):
        """Smallest image side in pixels at which patches and crops need no upscaling."""
        share, drawn = self.crop_fraction or 1.0, self.size + 2 * self.margin
        return max(1, math.ceil(max(self.crop_size, drawn) / share) - 2 * self.padding)

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_choice("data.channels", self.channels, (1, 3))
        check_choice("data.crop", self.crop, ("center", "random"))
        check_choice("data.augmentation", self.augmentation, AUGMENTATIONS)
        check_choice("data.evaluation_crop", self.evaluation_crop, ("center", "whole"))
        check_at_least("data.size", self.size, SSIM_WINDOW)
        check_at_least("data.padding", self.padding, 0)
        check_at_least("data.margin", self.margin, 0)
        check_at_least("data.validation_limit", self.validation_limit, 1)
        if self.test and self.test in (self.train, self.validation):
            raise ValueError(
                "Expected data.test to name images used neither to train nor to choose a "
                f"checkpoint. Received: {self.test!r}, as in data.train or data.validation"
            )
        self._validate_crops()

    def _validate_crops(self):
        """Checks that the chosen ways to crop an image go together."""
        if self.margin and self.crop != "random":
            raise ValueError(
                'Expected data.crop "random" with data.margin. Received: '
                f"{self.crop!r} with {self.margin}"
            )
        check_at_least("data.crop_size", self.crop_size, 0)
        if self.crop_size and self.crop_size < self.size:
            raise ValueError(
                f"Expected data.crop_size of 0 or at least data.size = {self.size}. "
                f"Received: {self.crop_size}"
            )
        check_fraction("data.crop_fraction", self.crop_fraction)
        if self.crop_fraction and self.crop_size:
            raise ValueError(
                "Expected data.crop_fraction or data.crop_size, the other one 0. "
                f"Received: {self.crop_fraction} and {self.crop_size}"
            )
        pairs = "pairs:" in (self.train[:6], self.validation[:6])
        if pairs and (self.crop_fraction or self.crop_size not in (0, self.size)):
            raise ValueError(
                "Expected data.crop_size and data.crop_fraction 0 for pairs, whose operator is "
                f"tied to their pixels. Received: {self.crop_size} and {self.crop_fraction}"
            )
        if not 0 < self.min_scale <= 1:
            raise ValueError(f"Expected 0 < data.min_scale <= 1. Received: {self.min_scale}")
        if self.crop == "center" and self.min_scale != 1.0:
            raise ValueError(
                'Expected data.crop "random" with data.min_scale. Received: '
                f"{self.crop!r} with {self.min_scale}"
            )


@dataclasses.dataclass(slots=True)
class OperatorConfig:
    """The forward operator A, one of `OPERATORS`."""

    name: str = "blur"
    scale: int = 1  # image pixels per measured pixel, along each side
    boundary: str = "circular"  # the paper's (Appendix D.1), or "reflect"
    # One of KERNELS; or "varied": one of its own for each image; or "uncertain": the first of the
    # kernels in kernel_file, [number, side, side], or a blend of it and one of the rest.
    kernel: str = "linear_motion"
    kernel_size: int = 9
    kernel_angle: float = 45.0  # degrees, for linear_motion
    kernel_sigma: float = 2.0  # pixels, for gaussian and for chromatic's green channel
    kernel_seed: int = 0  # for camera_shake
    kernel_file: str = ""  # for file: .png, .npy or .mat; for uncertain: .npy
    kernel_index: int = 0  # which kernel of a .mat file

    @property
    def is_signed(self):
        """Whether measurements of images in [0, 1] leave [0, 1]."""
        return self.name != "identity" and self.kernel in SIGNED_KERNELS

    @property
    def shift(self):
        """Offset in pixels of the kernel's centre from the pixel that downsampling keeps.

        Bicubic downscaling centres a new pixel on its block, which for an even scale lies between
        two pixels; the paper's kernels are centred on a pixel.
        """
        return (self.scale - 1) / 2 - self.scale // 2 if self.kernel == "bicubic" else 0.0

    @property
    def is_own(self):
        """Whether it is an operator of the caller's own, or a blur with their kernel."""
        return self.name == CUSTOM or (self.name == "blur" and self.kernel == GIVEN)

    @property
    def is_varied(self):
        """Whether each image has a kernel and a noise of its own."""
        return self.kernel == VARIED

    @property
    def has_noise_map(self):
        """Whether the network that corrects the closed form also gets a map of the noise."""
        return self.kernel in (VARIED, UNCERTAIN)

    def measured_channels(self, channels):
        """Number of channels in the measurement of an image with `channels` channels."""
        return 1 if self.name == "joint" else channels

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_choice("operator.name", self.name, (*OPERATORS, CUSTOM))
        check_choice("operator.boundary", self.boundary, BOUNDARIES)
        check_choice("operator.kernel", self.kernel, (*KERNELS, GIVEN, VARIED, UNCERTAIN))
        if self.is_varied and (self.name != "blur" or self.kernel_size % 2 == 0):
            raise ValueError(
                'Expected operator.name "blur" and an odd operator.kernel_size with '
                f'operator.kernel "{VARIED}". Received: {self.name!r} and {self.kernel_size}'
            )
        if self.kernel in (UNCERTAIN, GIVEN) and self.name in REDUCING:
            raise ValueError(
                f'Expected operator.name "blur" with operator.kernel "{self.kernel}". Received: '
                f"{self.name!r}"
            )
        reduces = self.scale > 1 if self.name == CUSTOM else self.name in REDUCING
        if (self.scale > 1) != reduces or self.scale < 1:
            raise ValueError(
                f"Expected operator.scale of at least 2 for {REDUCING}, of 1 for the others. "
                f"Received: {self.scale} for {self.name!r}"
            )
        if bool(self.kernel_file) != (self.kernel in ("file", UNCERTAIN)):
            raise ValueError(
                'Expected operator.kernel_file together with operator.kernel "file" or '
                f'"{UNCERTAIN}". Received: '
                f"{self.kernel_file!r} with {self.kernel!r}"
            )
        check_range("operator.kernel_size", self.kernel_size, 1, LARGEST_KERNEL)
        check_positive("operator.kernel_sigma", self.kernel_sigma)
        check_at_least("operator.kernel_seed", self.kernel_seed, 0)
        check_at_least("operator.kernel_angle", self.kernel_angle, -360)
        check_at_least("operator.kernel_index", self.kernel_index, 0)


@dataclasses.dataclass(slots=True)
class NoiseConfig:
    """The noise, and the quantization, that follow the operator."""

    quantize: bool = True  # to the 256 levels of a stored image
    # Standard deviation of the sensor's noise, before quantization, in the units of [0, 1]. With
    # operator.kernel "varied" it is the maximum: each image has its own, between none and this.
    gaussian_sigma: float = 0.0
    custom: bool = False  # the caller passed a noise function to `train`, used instead of these
    eight_bit = Renamed("quantize")

    def validate(self):
        """Raises ValueError for negative noise."""
        check_at_least("noise.gaussian_sigma", self.gaussian_sigma, 0)


@dataclasses.dataclass(slots=True)
class RuntimeConfig:
    """What a training runs on; what is learned does not depend on it, except for rounding.

    Every session of a training may therefore use another one. (Random layers in the caller's own
    networks do depend on the number of replicas.)
    """

    # "default": one device; "mirrored": the GPUs of this host; "multi_worker": the hosts that
    # TF_CONFIG names; "auto": multi_worker where it names several, else all GPUs or the CPU.
    strategy: str = "auto"
    replicas: int = 0  # on this host; 0: one for each GPU. Without GPUs, more are virtual CPUs
    xla: bool = False  # compile the training step; for one replica
    cache: bool = False  # keep decoded images in memory
    kept_checkpoints: int = 3  # the newest ones; the best by validation is kept in addition
    # Save what an InverseNet's networks put out for a few images early in training, as
    # annealing/*.npz of 25 MB in all, for the figure of `paper/annealing.py`.
    annealing_snapshots: bool = False

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_choice("runtime.strategy", self.strategy, STRATEGIES)
        check_range("runtime.replicas", self.replicas, 0, MOST_REPLICAS)
        check_at_least("runtime.kept_checkpoints", self.kept_checkpoints, 1)
