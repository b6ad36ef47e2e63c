"""A trained prior and an inversion of seconds."""

import pytest

from blind_gan_tf.config import InversionConfig, PriorConfig
from blind_gan_tf.prior_training import train_prior


@pytest.fixture(scope="session")
def tiny_prior(made_once):
    """The work directory of a prior that has seen two batches of digits."""
    config = PriorConfig()
    config.data.train = config.data.validation = "digits"
    config.data.channels, config.data.size, config.data.validation_limit = 1, 32, 4
    config.latents.size, config.network.name = 8, "digits"
    config.network.generator_width = config.network.discriminator_width = 2
    config.training.batch_size, config.training.average = 4, 0.5
    config.training.steps = config.training.steps_per_epoch = 2
    return made_once("prior", lambda workdir: train_prior(config, workdir))


@pytest.fixture
def restoration(tiny_prior):
    config = InversionConfig(prior=str(tiny_prior))
    config.problem.number = 3
    config.search.rounds, config.search.surrogate_steps, config.search.latent_steps = 3, 2, 2
    config.refinement.steps = 2
    return config


@pytest.fixture
def separation(restoration):
    config = restoration
    config.problem.task, config.problem.sources, config.problem.signed = "separation", 2, True
    config.problem.noise.quantize = False
    config.problem.mixing.mixtures = 3
    config.surrogate.name = "mixing"
    return config
