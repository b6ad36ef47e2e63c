"""The config of an InverseNet experiment, which the files in `configs/inversenet/` return."""

import dataclasses
import math

from inversenet_tf.imaging.checks import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
    check_range,
)
from inversenet_tf.imaging.config import (
    GIVEN,
    PRECISIONS,
    DataConfig,
    NoiseConfig,
    OperatorConfig,
    RuntimeConfig,
)
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.metrics import SSIM_WINDOW, MetricProfile
from inversenet_tf.imaging.renamed import Renamed

# The names that a config may use; `models/` defines what they stand for, and is not imported to
# read a config.
CUSTOM = "custom"  # the caller's own
NONE = "none"
INVERTERS = ("unet", "solver_unet", "solver_resnet", "srresnet", "neural_deblur")
SOLVERS = ("solver_unet", "solver_resnet")  # those that correct the closed form of Eq. 3
DENOISERS = ("dae", "dncnn")
COMPARATORS = ("alexnet", "alexnet_torchvision", "vgg16", "squeezenet")
REDUCTIONS = ("sum", "mean")
SCHEDULES = ("constant", "cosine")
CLOSED_FORMS = ("blur", "downsampling", "joint")  # operators that Eq. 3 is solved for
DEEPEST = 8  # levels of the U-Net in Table 3
MOST_LAYERS = 500  # of networks with a configurable number of layers or blocks
MOST_DISCRIMINATOR_STEPS = 100  # the graph of a training step contains them all


@dataclasses.dataclass(slots=True)
class NetworkConfig:
    """The three networks (Tables 3 and 4) and their alternatives."""

    inverter: str = "unet"  # one of INVERTERS, or "custom": passed to `train`
    denoiser: str = "dae"  # one of DENOISERS, "none" (pix2pix), or "custom"
    depth: int = 0  # levels of the U-Net; 0: log2(data.size), as in Table 3
    width: int = 16  # channels of the U-Net's first level, by which all levels are scaled
    dae_factor: int = 4  # r of the pixel shuffling; operator.scale where y is smaller
    dae_condition: str = "shuffled"  # how y joins the DAE; "inner" where y is smaller; or "none"
    # The DAE also sees the half-step that Eqs. 3 and 4 take from z, and with the global skip it
    # corrects that. The value is the power of z's error as a fraction of the images' power: 1.0
    # suits "unet", 0.03 the `SOLVERS`, whose z is more accurate. 0: no half-step, as in the paper.
    half_step: float = 0.0
    discriminator_width: int = 64  # DCGAN's; the paper gives none
    global_skip: bool = False  # both networks predict a correction. Paper: off
    # For `SOLVERS`: correction and loss are in units of the closed form's expected error, so that
    # strong noise and almost none count alike.
    scaled_correction: bool = False
    paper_literal: bool = False  # Table 4's last batch norm and ReLU
    residual_blocks: int = 16  # of "srresnet" and "solver_resnet"
    residual_width: int = 64
    residual_subpixel: bool = False  # its last convolution is on the measurement's grid. SRGAN: off
    dncnn_layers: int = 17


@dataclasses.dataclass(slots=True)
class LossConfig:
    """The losses of Eqs. 9 to 12."""

    reconstruction_weight: float = 0.5  # lambda_r
    feature_weight: float = 0.5  # lambda_f
    adversarial_weight: float = 1.0  # of the soft GAN loss; 0: no discriminator
    pretraining_fraction: float = 0.0  # of steps on the squared distance alone, as SRGAN begins
    comparator: str = "none"  # C, one of COMPARATORS, or "custom". Paper: alexnet
    comparator_weights: str = ""  # a file or URL of its pre-trained weights
    comparator_sha256: str = ""  # of that file; required for a URL
    comparator_size: int = 0  # side that images are resized to for C; 0: what C was made for
    comparator_before_relu: bool = False  # its features before the last ReLU
    reduction: str = "sum"  # of the squared norms; "mean" weighs them less
    real_label: float = 0.99
    fake_label: float = 0.01
    pretraining_share = Renamed("pretraining_fraction")


@dataclasses.dataclass(slots=True)
class OptimizerConfig:
    """The settings shared by three Adam optimizers (Appendix A.1)."""

    learning_rate: float = 1e-4
    schedule: str = "constant"  # or "cosine": down to zero at the last step
    warmup_fraction: float = 0.0  # of the steps, from zero up to the rate. Paper: none
    beta_1: float = 0.5
    beta_2: float = 0.999
    epsilon: float = 1e-8
    denoiser_factor: float = 1.0  # of the denoiser's learning rate; a fifth keeps its ReLUs alive
    clip_norm: float = 5.0  # of each network's gradient
    discriminator_steps: int = 1  # K of Algorithm 1
    warmup_share = Renamed("warmup_fraction")


@dataclasses.dataclass(slots=True)
class TrainingConfig:
    """Length, batches, precision and randomness of the training."""

    batch_size: int = 36  # over all replicas
    steps: int = 1500
    # Between validations, checkpoints and summaries; if `steps` is not a multiple of it, the last
    # epoch is shorter.
    steps_per_epoch: int = 100
    seed: int = 0
    # A run or preset whose inverter and denoiser the training begins with; "": random weights.
    initial_weights: str = ""
    precision: str = "float32"  # one of PRECISIONS
    # Decay of a moving average of inverter's and denoiser's weights, which is then used instead of
    # the weights of the last step; 0: no average. Paper: none.
    average: float = 0.0
    deterministic: bool = False  # bit-identical runs on one machine, but slower


@dataclasses.dataclass(slots=True)
class Config:
    """A complete experiment."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    operator: OperatorConfig = dataclasses.field(default_factory=OperatorConfig)
    noise: NoiseConfig = dataclasses.field(default_factory=NoiseConfig)
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    metrics: MetricProfile = dataclasses.field(default_factory=MetricProfile)
    runtime: RuntimeConfig = dataclasses.field(default_factory=RuntimeConfig)

    @property
    def depth(self) -> int:
        """The number of U-Net levels, with the default resolved."""
        return self.network.depth or round(math.log2(self.data.size))

    @property
    def measured_channels(self) -> int:
        """The number of channels of a measurement."""
        return self.operator.measured_channels(self.data.channels)

    @property
    def _scored_side(self):
        return self.data.size - 2 * self.metrics.crop

    def validate(self) -> None:
        """Raises ValueError, naming the field, for any value that cannot be trained with."""
        config_from_dict(Config, dataclasses.asdict(self))  # checks the types
        self.data.validate()
        self.operator.validate()
        self.noise.validate()
        self.metrics.validate()
        self.runtime.validate()
        if self.operator.is_signed:
            raise ValueError(
                "Expected an operator whose measurements are images in [0, 1]. Received: "
                f"operator.kernel {self.operator.kernel!r}, whose measurements are signed"
            )
        check_at_least("data.size minus twice metrics.crop", self._scored_side, SSIM_WINDOW)
        if self.operator.scale & (self.operator.scale - 1):
            raise ValueError(
                f"Expected operator.scale to be a power of two. Received: {self.operator.scale}"
            )
        if self.data.margin % self.operator.scale:
            raise ValueError(
                "Expected data.margin to be a multiple of operator.scale. Received: "
                f"{self.data.margin} and {self.operator.scale}"
            )
        if self.data.size % self.operator.scale:
            raise ValueError(
                "Expected data.size to be a multiple of operator.scale. Received: "
                f"{self.data.size} and {self.operator.scale}"
            )
        self._validate_network()
        self._validate_optimization()

    def _validate_network(self):
        network = self.network
        check_choice("network.inverter", network.inverter, (*INVERTERS, CUSTOM))
        check_choice("network.denoiser", network.denoiser, (*DENOISERS, NONE, CUSTOM))
        for field in ("width", "discriminator_width", "residual_width", "dae_factor"):
            check_at_least(f"network.{field}", getattr(network, field), 1)
        check_range("network.residual_blocks", network.residual_blocks, 1, MOST_LAYERS)
        check_range("network.dncnn_layers", network.dncnn_layers, 3, MOST_LAYERS)
        check_at_least("network.half_step", network.half_step, 0)
        if network.inverter in ("unet", "solver_unet"):
            self._validate_depth()
        if network.denoiser == "dae":
            self._validate_dae()
        if network.half_step and network.denoiser != "dae":
            raise ValueError(
                f'Expected network.denoiser "dae" with network.half_step. Received: '
                f"{network.denoiser!r}"
            )
        is_solver = network.inverter in SOLVERS
        solving = f'network.inverter "{network.inverter}"' * is_solver
        solving = solving or "network.half_step" * (network.half_step > 0)
        if solving:
            self._validate_solving(solving)
        if self.operator.is_varied and not is_solver:
            raise ValueError(
                f'Expected network.inverter in {SOLVERS} with operator.kernel "varied", as they '
                f"are given the kernel. Received: {network.inverter!r}"
            )
        if network.inverter == "neural_deblur" and self.operator.name != "blur":
            raise ValueError(
                'Expected operator.name "blur" with network.inverter "neural_deblur". Received: '
                f"{self.operator.name!r}"
            )

    def _validate_solving(self, solving):
        """Checks what solving with the operator requires; `solving` names the option for it."""
        operator = self.operator
        if operator.name not in CLOSED_FORMS:
            raise ValueError(
                f"Expected operator.name in {CLOSED_FORMS} with {solving}. Received: "
                f"{operator.name!r}"
            )
        if operator.boundary == "circular" and self.data.margin:
            raise ValueError(
                f"Expected data.margin 0 with {solving} and a circular boundary, which a patch "
                f"without its margin does not have. Received: {self.data.margin}"
            )
        if self.data.train.startswith("pairs:") and operator.kernel not in ("file", GIVEN):
            is_inverter = self.network.inverter in SOLVERS
            without = 'network.inverter "unet"' if is_inverter else "network.half_step 0"
            raise ValueError(
                f"Expected {without} with pairs, or, if one blur made them all, its kernel as "
                f'operator.kernel "file". Received: {solving}, which would solve with the kernel '
                f"{operator.kernel!r}"
            )

    def _validate_depth(self):
        check_choice("network.depth", self.network.depth, range(DEEPEST + 1))
        if self.depth > DEEPEST or self.data.size % 2**self.depth:
            raise ValueError(
                f"Expected data.size to be a multiple of 2**network.depth, depth at most "
                f"{DEEPEST}. Received: size {self.data.size}, depth {self.depth}"
            )

    def _validate_dae(self):
        factor, scale = self.network.dae_factor, self.operator.scale
        if self.data.size % factor:
            raise ValueError(
                "Expected data.size to be a multiple of network.dae_factor. Received: "
                f"{self.data.size} and {factor}"
            )
        joins = "shuffled" if scale == 1 else "inner"  # a smaller y already has the inner grid
        check_choice("network.dae_condition", self.network.dae_condition, ("none", joins))
        if self.network.dae_condition == "inner" and factor != scale:
            raise ValueError(
                "Expected network.dae_factor to equal operator.scale, so that y has the size of "
                f"the DAE's inner grid. Received: {factor} and {scale}"
            )

    def _validate_optimization(self):
        training, optimizer, loss = self.training, self.optimizer, self.loss
        check_choice("loss.reduction", loss.reduction, REDUCTIONS)
        check_choice("loss.comparator", loss.comparator, (*COMPARATORS, NONE, CUSTOM))
        check_choice("optimizer.schedule", optimizer.schedule, SCHEDULES)
        check_choice("training.precision", training.precision, PRECISIONS)
        for field in (
            "reconstruction_weight",
            "feature_weight",
            "adversarial_weight",
            "comparator_size",
        ):
            check_at_least(f"loss.{field}", getattr(loss, field), 0)
        for field in ("real_label", "fake_label", "pretraining_fraction"):
            check_fraction(f"loss.{field}", getattr(loss, field))
        check_at_least("training.seed", training.seed, 0)
        check_fraction("training.average", training.average)
        for field in ("batch_size", "steps", "steps_per_epoch"):
            check_at_least(f"training.{field}", getattr(training, field), 1)
        steps = optimizer.discriminator_steps
        check_range("optimizer.discriminator_steps", steps, 1, MOST_DISCRIMINATOR_STEPS)
        for field in ("learning_rate", "denoiser_factor", "clip_norm", "epsilon"):
            check_positive(f"optimizer.{field}", getattr(optimizer, field))
        for field in ("beta_1", "beta_2"):
            if not 0 <= getattr(optimizer, field) < 1:
                raise ValueError(
                    f"Expected 0 <= optimizer.{field} < 1. Received: {getattr(optimizer, field)}"
                )
        check_fraction("optimizer.warmup_fraction", optimizer.warmup_fraction)
