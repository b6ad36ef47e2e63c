"""The schemas of the experiments; a file of `configs/blind_gan/` returns one of them."""

import dataclasses

from blind_gan_tf.latents import Latents
from blind_gan_tf.networks import NETWORKS
from inversenet_tf.imaging.checks import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
)
from inversenet_tf.imaging.config import DataConfig
from inversenet_tf.imaging.runs import config_from_dict

PRECISIONS = ("float32", "mixed_bfloat16")


@dataclasses.dataclass(slots=True)
class PriorNetworkConfig:
    """Generator and discriminator."""

    name: str = "dcgan"  # one of NETWORKS
    generator_width: int = 64  # features next to the image
    discriminator_width: int = 64


@dataclasses.dataclass(slots=True)
class PriorTrainingConfig:
    """DCGAN's hyper-parameters (Radford et al. 2016), and how long."""

    learning_rate: float = 2e-4  # of both Adams
    beta_1: float = 0.5
    beta_2: float = 0.999
    real_label: float = 1.0  # below 1: one-sided label smoothing
    average: float = 0.0  # decay of the generator's moving average, 0 for none. Paper: none
    batch_size: int = 128  # over all replicas
    steps: int = 10_000
    steps_per_epoch: int = 250  # between checkpoints, sample grids and checks
    seed: int = 0
    precision: str = "float32"  # or "mixed_bfloat16"
    deterministic: bool = False  # the same bits on every run of one machine, more slowly


@dataclasses.dataclass(slots=True)
class PriorConfig:
    """The training of a prior."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    latents: Latents = dataclasses.field(default_factory=Latents)
    network: PriorNetworkConfig = dataclasses.field(default_factory=PriorNetworkConfig)
    training: PriorTrainingConfig = dataclasses.field(default_factory=PriorTrainingConfig)

    def validate(self):
        """Raises ValueError, naming the field, for any value that cannot be trained with."""
        config_from_dict(PriorConfig, dataclasses.asdict(self))  # checks the types
        self.data.validate()
        self.latents.validate()
        network, training = self.network, self.training
        check_choice("network.name", network.name, NETWORKS)
        side = NETWORKS[network.name][2]
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
        if training.steps % training.steps_per_epoch:
            raise ValueError(
                "Expected training.steps to be a multiple of training.steps_per_epoch. "
                f"Received: {training.steps} and {training.steps_per_epoch}"
            )
