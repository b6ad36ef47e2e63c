"""The configuration classes of the experiments; each file of `configs/blind_gan/` returns one."""

import dataclasses

from blind_gan_tf.latents import Latents
from inversenet_tf.imaging.checks import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
)
from inversenet_tf.imaging.config import (
    BOUNDARIES,
    PRECISIONS,
    DataConfig,
    NoiseConfig,
    OperatorConfig,
    RuntimeConfig,
)
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.metrics import MetricProfile
from inversenet_tf.imaging.renamed import Renamed

# The names that a config may use. What they stand for is defined in `networks.NETWORKS` and
# `methods.METHODS`, which need not be imported to read a config.
IMAGE_SIDES = {"dcgan": 64, "digits": 32}  # of the images of each prior network, in pixels
METHODS = (
    *("degraded", "random", "pgd", "wiener", "pgd_known", "naive", "ica", "range"),
    *("blind", "blind_refined"),
)
NONLINEARITIES = ("abs", "none")
TASKS = ("restoration", "separation")
ESTIMATED = "auto"  # instead of a file's name: the kernel is estimated
SURROGATES = ("linear_convolution", "relu_convolution", "shared_kernel", "mixing")


@dataclasses.dataclass(slots=True)
class PriorNetworkConfig:
    """The generator and the discriminator."""

    name: str = "dcgan"  # one of IMAGE_SIDES
    generator_width: int = 64  # features next to the image
    discriminator_width: int = 64


@dataclasses.dataclass(slots=True)
class PriorTrainingConfig:
    """DCGAN's hyper-parameters (Radford et al. 2016) and the length of the training."""

    learning_rate: float = 2e-4  # of both Adams
    beta_1: float = 0.5
    beta_2: float = 0.999
    real_label: float = 1.0  # below 1: one-sided label smoothing
    average: float = 0.0  # decay of the generator's moving average, 0 for none. Paper: none
    batch_size: int = 128  # over all replicas
    steps: int = 10_000
    # Steps between checkpoints, sample grids and checks; the last epoch may be shorter.
    steps_per_epoch: int = 250
    seed: int = 0
    # A prior, as `load_prior` takes it, from whose two networks the training starts; "": random
    # weights.
    initial_weights: str = ""
    precision: str = "float32"  # one of PRECISIONS
    deterministic: bool = False  # bit-identical runs on one machine, more slowly


@dataclasses.dataclass(slots=True)
class PriorConfig:
    """The training of a prior."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    latents: Latents = dataclasses.field(default_factory=Latents)
    network: PriorNetworkConfig = dataclasses.field(default_factory=PriorNetworkConfig)
    training: PriorTrainingConfig = dataclasses.field(default_factory=PriorTrainingConfig)
    runtime: RuntimeConfig = dataclasses.field(default_factory=RuntimeConfig)

    def validate(self):
        """Raises ValueError, naming the field, for any value that training cannot use."""
        config_from_dict(PriorConfig, dataclasses.asdict(self))  # checks the types
        self.data.validate()
        if self.data.test:
            raise ValueError(
                "Expected data.test for an InverseNet only, as a prior is not evaluated on "
                f"images. Received: {self.data.test!r}"
            )
        self.latents.validate()
        self.runtime.validate()
        network, training = self.network, self.training
        check_choice("network.name", network.name, IMAGE_SIDES)
        side = IMAGE_SIDES[network.name]
        if self.data.size != side:
            raise ValueError(
                f"Expected data.size {side} with network.name {network.name!r}. "
                f"Received: {self.data.size}"
            )
        for field in ("generator_width", "discriminator_width"):
            check_at_least(f"network.{field}", getattr(network, field), 1)
        check_positive("training.learning_rate", training.learning_rate)
        for field in ("beta_1", "beta_2", "real_label", "average"):
            check_fraction(f"training.{field}", getattr(training, field))
        for field in ("batch_size", "steps", "steps_per_epoch"):
            check_at_least(f"training.{field}", getattr(training, field), 1)
        check_at_least("training.seed", training.seed, 0)
        check_choice("training.precision", training.precision, PRECISIONS)


@dataclasses.dataclass(slots=True)
class SurrogateConfig:
    """The surrogate F-hat (Sections 3.1 and 3.2)."""

    # "linear_convolution"; "relu_convolution", with a ReLU between its two layers, which the paper
    # also tried; "mixing"; or, beyond the paper, "shared_kernel": one blur kernel for all channels.
    name: str = "linear_convolution"
    filters: int = 16  # linear_convolution, relu_convolution: of the first layer
    kernel_size: int = 5  # of each layer, together 2 * kernel_size - 1; or of the shared kernel
    boundary: str = "circular"  # of convolutions. Paper: not said
    # shared_kernel: a file with the initial kernel; "auto": the kernel that is estimated from the
    # measurements; "": a random one.
    initial_kernel: str = ""
    units: int = 16  # mixing: of its first layer
    # Of the random weights, relative to Glorot's. The operator's highest frequencies, which no
    # image of the prior shows, are never learned: they stay at their initial values, and a small
    # scale keeps these small.
    initial_scale: float = 1.0

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_choice("surrogate.name", self.name, SURROGATES)
        check_choice("surrogate.boundary", self.boundary, BOUNDARIES)
        check_at_least("surrogate.filters", self.filters, 1)
        check_at_least("surrogate.units", self.units, 1)
        check_positive("surrogate.initial_scale", self.initial_scale)
        if self.initial_kernel and self.name != "shared_kernel":
            raise ValueError(
                'Expected surrogate.name "shared_kernel" with surrogate.initial_kernel. Received: '
                f"{self.name!r}"
            )
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd surrogate.kernel_size. Received: {self.kernel_size}")


@dataclasses.dataclass(slots=True)
class SearchConfig:
    """Algorithm 1: its length, learning rates and starts."""

    rounds: int = 100  # T
    surrogate_steps: int = 50  # T1 of every round
    latent_steps: int = 50  # T2 of every round
    surrogate_learning_rate: float = 4e-3  # lambda_1, of Adam
    latent_learning_rate: float = 3e-4  # lambda_2, of Adam
    schedule: str = "constant"  # of both rates; or "cosine", which falls to zero at the last round
    perceptual_weight: float = 1e-4  # alpha
    random_starts: int = 1  # surrogates with random weights
    # Beyond the paper: starts whose latents are first fitted to the measurements themselves, as if
    # F were the identity, while the surrogate learns.
    identity_starts: int = 0
    identity_rounds: int = 3
    patience: int = 0  # rounds without progress of any start before the search stops; 0: never
    least_progress: float = 1e-3  # relative decrease of the residual that counts as progress
    # Beyond the paper, see blind_gan_tf/random_candidates.py:
    screening_rounds: int = 0  # rounds of the screening of all starts, without latent steps
    survivors: int = 1  # starts of each operator that go on after the screening
    random_candidates: int = 500  # random latents that are tried for each measurement
    candidates: int = 1  # latents that are followed for each measurement under one surrogate
    renew_every: int = 0  # rounds after which all candidates but the best are redrawn; 0: never
    surrogate_rate = Renamed("surrogate_learning_rate")
    latent_rate = Renamed("latent_learning_rate")
    trial_rounds = Renamed("screening_rounds")
    finalists = Renamed("survivors")
    library = Renamed("random_candidates")

    @property
    def starts(self):
        """The number of surrogates for each operator."""
        return self.random_starts + self.identity_starts

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_choice("search.schedule", self.schedule, ("constant", "cosine"))
        for field in (
            "rounds",
            "latent_steps",
            "candidates",
            "starts",
            "random_candidates",
            "survivors",
        ):
            check_at_least(f"search.{field}", getattr(self, field), 1)
        for field in (
            "surrogate_steps",
            "random_starts",
            "identity_starts",
            "identity_rounds",
            "patience",
            "least_progress",
            "perceptual_weight",
            "screening_rounds",
            "renew_every",
        ):
            check_at_least(f"search.{field}", getattr(self, field), 0)
        if self.renew_every and self.candidates == 1:
            raise ValueError(
                "Expected search.candidates of at least 2 with search.renew_every, as the best "
                "one is kept. Received: 1"
            )
        for field in ("surrogate_learning_rate", "latent_learning_rate"):
            check_positive(f"search.{field}", getattr(self, field))


@dataclasses.dataclass(slots=True)
class RefinementConfig:
    """`blind_refined`, beyond the paper: after the search, images may leave the prior's range.

    The weights are relative to that of the squared distance to the measurements.
    """

    closeness: float = 1e-2  # weight of the squared distance to G(z)
    total_variation: float = 1e-3  # weight
    learning_rate: float = 1e-2  # of Adam, along a cosine to zero
    steps: int = 300

    def validate(self):
        """Raises ValueError for a value outside its range."""
        for field in ("closeness", "total_variation"):
            check_at_least(f"refinement.{field}", getattr(self, field), 0)
        check_positive("refinement.learning_rate", self.learning_rate)
        check_at_least("refinement.steps", self.steps, 1)


@dataclasses.dataclass(slots=True)
class MixingConfig:
    """The mixing operator, Y = |M^T X| (Section 3.2)."""

    mixtures: int = 1  # N, columns of M
    mean: float = -0.5  # of M's entries
    stddev: float = 0.5
    nonlinearity: str = "abs"  # or "none"
    signed: bool = True  # X in [-1, 1]; else in [0, 1]

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_at_least("problem.mixing.mixtures", self.mixtures, 1)
        check_at_least("problem.mixing.stddev", self.stddev, 0)
        check_choice("problem.mixing.nonlinearity", self.nonlinearity, NONLINEARITIES)


@dataclasses.dataclass(slots=True)
class ProblemConfig:
    """Which images are measured, and how."""

    task: str = "restoration"  # undoes `operator`; or "separation", which undoes `mixing`
    images: str = ""  # a source of images to measure; "": the prior's held-out ones
    number: int = 25  # measurements
    group_size: int = 0  # measurements that share one operator; 0: all, 1: one operator each
    sources: int = 1  # S, images in one measurement
    operator: OperatorConfig = dataclasses.field(default_factory=OperatorConfig)
    mixing: MixingConfig = dataclasses.field(default_factory=MixingConfig)
    noise: NoiseConfig = dataclasses.field(default_factory=NoiseConfig)
    signed: bool = False  # whether measurements may leave [0, 1], as edge maps and mixtures do
    seed: int = 0  # of the choice of images, of mixing matrices and of noise

    @property
    def resolved_group_size(self):
        """Measurements that share one operator."""
        return self.group_size or self.number

    def validate(self):
        """Raises ValueError for a value outside its range, or values that contradict each other."""
        check_choice("problem.task", self.task, TASKS)
        for field in ("number", "sources"):
            check_at_least(f"problem.{field}", getattr(self, field), 1)
        check_at_least("problem.seed", self.seed, 0)
        check_at_least("problem.group_size", self.group_size, 0)
        self.operator.validate()
        if self.operator.is_varied:
            raise ValueError(
                "Expected an operator.kernel that all measurements share. Received: "
                f"{self.operator.kernel!r}"
            )
        self.mixing.validate()
        self.noise.validate()
        if (self.task == "separation") != (self.sources > 1):
            raise ValueError(
                'Expected several problem.sources for the task "separation", one for '
                f'"restoration". Received: {self.sources} for {self.task!r}'
            )
        if self.task == "separation" and not self.signed:
            raise ValueError(
                "Expected problem.signed for a separation: mixtures leave [0, 1]. Received: False"
            )
        if self.task == "restoration" and self.operator.is_signed and not self.signed:
            raise ValueError(
                f"Expected problem.signed with operator.kernel {self.operator.kernel!r}, whose "
                "measurements leave [0, 1]. Received: False"
            )
        if self.operator.scale != 1:
            raise ValueError(
                "Expected problem.operator.scale 1: the surrogates keep an image's size. "
                f"Received: {self.operator.scale} for {self.operator.name!r}"
            )
        if self.signed and self.noise.quantize:
            raise ValueError(
                "Expected problem.noise.quantize False with problem.signed, as 8 bits store only "
                "[0, 1]. Received: both"
            )


@dataclasses.dataclass(slots=True)
class InversionConfig:
    """A blind inversion and the baselines it is compared with."""

    prior: str = ""  # a preset, a `prior.keras`, or the work directory of its training
    precision: str = "float32"  # of the prior's hidden layers; or "mixed_bfloat16"
    problem: ProblemConfig = dataclasses.field(default_factory=ProblemConfig)
    surrogate: SurrogateConfig = dataclasses.field(default_factory=SurrogateConfig)
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    refinement: RefinementConfig = dataclasses.field(default_factory=RefinementConfig)
    methods: tuple = METHODS  # those that the problem does not admit are left out
    classifier: str = ""  # a classifier that tells which separated digits can be read; "": none
    metrics: MetricProfile = dataclasses.field(default_factory=MetricProfile)
    seed: int = 0  # of the search
    judge = Renamed("classifier")

    def validate(self):
        """Raises ValueError, naming the field, for any value that an inversion cannot use."""
        config_from_dict(InversionConfig, dataclasses.asdict(self))  # checks the types
        self.problem.validate()
        self.surrogate.validate()
        self.search.validate()
        self.refinement.validate()
        self.metrics.validate()
        check_choice("precision", self.precision, PRECISIONS)
        check_at_least("seed", self.seed, 0)
        for name in self.methods:
            check_choice("methods", name, METHODS)
        if "blind_refined" in self.methods and "blind" not in self.methods:
            raise ValueError(
                'Expected "blind" among the methods with "blind_refined", which starts from its '
                f"result. Received: {self.methods}"
            )
        if not self.prior:
            raise ValueError(
                "Expected prior to name a trained prior, as in --config.prior=digits. "
                "Received: none"
            )
