"""The experiments of the paper as configs: tasks, baselines, and a recipe for two CPU cores.

The files in `configs/inversenet/` and `tools/reproduce.py` both build on these. A task is a
`Config`, whose defaults are the paper's constants, with what the paper says about that task;
functions that take a config change it in place.
"""

from pathlib import Path

from inversenet_tf.config import NONE, Config
from inversenet_tf.imaging.processor import fast_precision


def motion_deblur() -> Config:
    """Section 4.1: a 9 x 9 motion blur of 64 x 64 images."""
    config = Config()
    config.operator.kernel_angle = 45.0  # Paper: Fig. 11, a picture; here: a diagonal of 9 pixels
    config.network.dae_factor = 1  # Section 4.1: without pixel shuffling
    return config


def super_resolution(kernel_size: int = 7) -> Config:
    """Section 4.2: x4, 64 x 64 to 256 x 256, with the kernel that rings (7) or the mild one (3)."""
    config = Config()
    config.data.size = 256
    config.operator.name = "downsampling"
    config.operator.scale = 4
    config.operator.kernel_size = kernel_size
    # Paper: 7 x 7 is flat; 3 x 3 is Fig. 12, a picture; here: a Gaussian.
    config.operator.kernel = "flat" if kernel_size == 7 else "gaussian"
    config.operator.kernel_sigma = 0.8
    config.network.dae_factor = 4  # the DAE's inner grid is that of the measurement
    config.network.dae_condition = "inner"
    return config


def joint(size: int = 64) -> Config:
    """Section 4.3: x2 and colours from one band; 64 pixels for CelebA, 128 for CUB."""
    config = Config()
    config.data.size = size
    config.operator.name = "joint"
    config.operator.scale = 2
    # Paper: Fig. 13, three pictures of 9 x 9; here: three Gaussians.
    config.operator.kernel = "chromatic"
    config.operator.kernel_size = 9
    config.operator.kernel_sigma = 1.5
    config.network.dae_factor = 2
    config.network.dae_condition = "inner"
    return config


def for_two_cores(config: Config) -> None:
    """Trains in minutes on two CPU cores instead of days on a GPU; each departure is explained."""
    # Paper: the networks predict images; here: corrections to their input, which start at zero.
    config.network.global_skip = True
    # Paper: not given, DCGAN's 64; here: a quarter of its arithmetic, or it dominates the step.
    config.network.discriminator_width = 32
    # Paper: a constant 1e-4 and batches of 36.
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_fraction = 0.03
    # Paper: the weights of the last step; here: an average, 1 to 2 dB better while rates are high.
    config.training.average = 0.99
    # Paper: one rate for all; here: at ten times the paper's the DAE's last ReLUs die.
    config.optimizer.denoiser_factor = 0.2
    # Paper: 0; here: without the discriminator a step takes 0.6 of the time and teaches as much.
    config.loss.pretraining_fraction = 0.9
    config.training.batch_size = 16
    config.training.steps = 4000
    config.training.steps_per_epoch = 400
    # Losses, batch norm's statistics and outputs stay in float32 in any case.
    config.training.precision = fast_precision()


def compared_from_the_start(config: Config) -> None:
    """For the paper's tables: discriminator and comparator from the first step, as in Algorithm 1.

    The recipe for two cores leaves both to the last tenth of the steps.
    """
    config.loss.pretraining_fraction = 0.0


def on_embedded_photographs(config: Config) -> None:
    """Trains on few photographs: random patches at several scales, in all eight orientations."""
    config.data.train = config.data.validation = "photos"
    config.data.crop = "random"
    config.data.margin = 8
    config.data.min_scale = 0.4
    config.data.augmentation = "dihedral"
    config.data.evaluation_crop = "whole"


def correcting_the_closed_form(config: Config) -> None:
    """A U-Net corrects the closed form of Eq. 3, without DAE and discriminator."""
    # Paper: the U-Net imitates Eq. 3; here: it corrects the closed form of Eq. 3, which is 8 dB
    # above a blurred measurement before any training, in units of the error expected of it.
    config.network.inverter = "solver_unet"
    config.network.scaled_correction = True
    config.network.depth = 4  # Paper: 6, down to single pixels; here: what a blur of 9 pixels needs
    config.network.width = 32  # Paper: 16
    # Paper: the DAE refines; here: left out, with the discriminator, which taught it. Behind the
    # corrected closed form it changed 36.06 dB to 36.04 dB, for five times the arithmetic.
    config.network.denoiser = NONE
    config.loss.adversarial_weight = 0.0
    config.data.margin = 0  # the closed form needs patches with a circular blur


def quickstart() -> Config:
    """Deblurring in minutes, on the embedded photographs: a U-Net corrects the closed form."""
    config = motion_deblur()
    on_embedded_photographs(config)
    for_two_cores(config)
    correcting_the_closed_form(config)
    config.data.size = 96
    config.optimizer.learning_rate = 2e-3
    config.training.average = 0.98
    config.training.steps = 800
    config.training.steps_per_epoch = 200
    return config


def super_resolution_solver() -> Config:
    """Section 4.2 against ringing, with residual blocks that correct the closed form."""
    config = super_resolution(kernel_size=7)
    on_embedded_photographs(config)
    for_two_cores(config)
    correcting_the_closed_form(config)
    on_the_measurements_grid(config)
    config.training.steps = 800
    config.training.steps_per_epoch = 200
    return config


def on_the_measurements_grid(config: Config) -> None:
    """For upsampling: residual blocks correct the closed form, on the grid of the measurement."""
    # Paper: a U-Net; here: residual blocks, which on so coarse a grid see as far, for less time.
    config.network.inverter = "solver_resnet"
    config.network.residual_blocks = 8
    config.network.residual_width = 64
    config.data.size = 128  # Paper: 256; most of a smaller patch would be near the border
    config.optimizer.learning_rate = 1e-3  # without norms, they tolerate no more
    config.training.average = 0.995


def joint_solver(size: int = 64) -> Config:
    """Section 4.3, colours from one band, with a U-Net that corrects the closed form."""
    config = joint(size)
    for_two_cores(config)
    inversenet_solver(config)
    config.training.steps = 4800
    return config


def any_blur() -> Config:
    """One network for any blur, given the kernel and the noise level of each measurement."""
    config = quickstart()
    config.operator.kernel = "varied"
    config.operator.kernel_size = 27  # the largest of Levin's camera shakes has that side
    config.noise.gaussian_sigma = 0.03  # the largest
    config.training.steps = 4000
    config.training.steps_per_epoch = 500
    config.training.average = 0.995
    return config


def any_blur_of_cameras() -> Config:
    """`any_blur` for photographs as cameras take them, where only the frame is known."""
    config = any_blur()
    config.operator.boundary = "reflect"
    config.data.size = 128  # most of a smaller patch would be border
    config.data.margin = 14  # what a kernel of 27 pixels blurs into the frame
    config.training.batch_size = 8
    config.training.steps = 6000
    return config


def x4_photos() -> Config:
    """x4 super-resolution of photographs that were scaled down by a bicubic filter."""
    config = super_resolution()
    on_embedded_photographs(config)
    for_two_cores(config)
    # Paper: a flat kernel; here: the filter that programs use and that scores are published for.
    config.operator.kernel = "bicubic"
    config.operator.kernel_size = 17
    config.operator.boundary = "reflect"
    # Paper: U-Net and DAE; here: residual blocks on the measurement's own grid, a sixteenth of the
    # image's pixels, half as many as SRGAN's and three quarters as wide.
    config.network.inverter = "srresnet"
    config.network.residual_blocks = 8
    config.network.residual_width = 48
    config.network.residual_subpixel = True
    config.network.denoiser = NONE
    config.loss.adversarial_weight = 0.0
    config.data.size = 128
    config.data.margin = 8  # what the kernel reaches beyond the patch
    config.training.average = 0.998
    config.training.steps_per_epoch = 500
    return config


def compared_by_squeezenet(config: Config, weights: str | Path) -> None:
    """Uses SqueezeNet as comparator, which two cores can afford; `weights` is its file."""
    config.loss.comparator = "squeezenet"  # Paper: alexnet
    config.loss.comparator_weights = str(weights)
    config.loss.comparator_size = 64  # SqueezeNet was made for 224, which triples the step
    # Paper: 0.5, for FC6. SqueezeNet's features are larger: on faces restored to 30 dB their
    # squared distance is 4,000 times that of the pixels. So they weigh a tenth of the pixels, and
    # 3 % on faces restored to 27.5 dB; every table states the fraction at its end.
    config.loss.feature_weight = 1e-5


def pix2pix(config: Config) -> None:
    """The baseline of Table 1: the U-Net, the discriminator and the comparator without the DAE."""
    config.network.denoiser = NONE


def srgan(config: Config) -> None:
    """The baseline of Fig. 10 (Ledig et al. 2017), trained first on the squared distance alone.

    SRGAN then drops that distance; here it stays, as in every other row. Its 16 residual blocks
    of width 64 are the defaults of `NetworkConfig`.
    """
    config.network.inverter = "srresnet"
    config.network.denoiser = NONE
    # SRGAN: 1e-3 beside a mean over all values; here: the same beside their weighted sum.
    values = config.data.size**2 * config.data.channels
    config.loss.adversarial_weight = 1e-3 * config.loss.reconstruction_weight * values
    config.loss.pretraining_fraction = 0.5


def neural_deblur(config: Config) -> None:
    """The baseline of Table 1 by Chakrabarti (2016), trained on the squared distance alone."""
    config.network.inverter = "neural_deblur"
    config.network.denoiser = NONE
    config.loss.adversarial_weight = 0.0
    config.loss.comparator = NONE


def inversenet(config: Config) -> None:
    """The paper's own method: nothing to change."""


def inversenet_neural(config: Config) -> None:
    """Section 1's claim that any network may invert: Chakrabarti's, before the same DAE."""
    config.network.inverter = "neural_deblur"


def inversenet_dncnn(config: Config) -> None:
    """The same claim for the denoiser: DnCNN behind the U-Net."""
    config.network.denoiser = "dncnn"


def inversenet_solver(config: Config) -> None:
    """InverseNet with the operator known: a network corrects the closed form of Eq. 3.

    The network is a U-Net or, for super-resolution alone, residual blocks. For a blur, a DAE
    refines its result. All learn from the squared distance alone, as in `quickstart`.
    """
    correcting_the_closed_form(config)
    config.loss.comparator = NONE
    if config.operator.name == "joint":
        config.network.depth = 0  # as the paper's: colours depend on what is far away
    if config.operator.name == "downsampling":
        on_the_measurements_grid(config)
    if config.operator.name == "blur":
        with_half_step(config)


def with_half_step(config: Config) -> None:
    """Adds a DAE behind the corrected closed form, which also sees the half-step of Eqs. 3 and 4.

    It adds 0.2 to 0.4 dB on faces, see `docs/closed_form.md`.
    """
    config.network.denoiser = "dae"
    config.network.dae_factor = 2  # Paper: 1 for deblurring; here: a third of its time
    config.network.half_step = 0.03


TRAINED = {
    "inversenet": inversenet,
    "inversenet_solver": inversenet_solver,
    "inversenet_neural": inversenet_neural,
    "inversenet_dncnn": inversenet_dncnn,
    "pix2pix": pix2pix,
    "srgan": srgan,
    "neural_deblur": neural_deblur,
}
