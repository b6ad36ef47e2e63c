"""Training a prior: config -> images -> GAN -> checkpoints, logs and the prior's file."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from blind_gan_tf.callbacks import PriorLog, PriorSaver
from blind_gan_tf.networks import NETWORKS
from blind_gan_tf.prior import LOSSES, PRIOR_FILE, Prior, save_prior
from inversenet_tf.imaging import checkpoints
from inversenet_tf.imaging.callbacks import Progress, StopOnNaN
from inversenet_tf.imaging.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.pairs import evaluation_images, training_images
from inversenet_tf.imaging.runs import CHECKPOINTS, LOGS, default_strategy, open_workdir

EXAMPLES = 64  # images in a grid


def build_prior(config):
    """The untrained prior of a `PriorConfig`."""
    generator, discriminator, _ = NETWORKS[config.network.name]
    shared = {
        "channels": config.data.channels,
        "latent_size": config.latents.size,
        "dtype": config.training.precision,
    }
    return Prior(
        generator(width=config.network.generator_width, name="generator", **shared),
        discriminator(width=config.network.discriminator_width, name="discriminator", **shared),
        config.latents,
    )


def train_prior(config, workdir):
    """Trains a prior, or goes on with it where an earlier call was interrupted.

    Args:
        config: a `PriorConfig`.
        workdir: directory of the run: `config.json`, `checkpoints/`, `logs/`, `samples.png` and
            `prior.keras`, which `load_prior` reads.

    Returns:
        The trained `Prior`, with the averaged generator where the config asks for one.

    Raises:
        ValueError: a config, data source or work directory that cannot be used; raised before
            anything is written.
        TrainingDiverged: a loss became NaN.
    """
    config.validate()
    strategy = default_strategy()
    data, training = config.data, config.training
    if training.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            "Expected training.batch_size to be a multiple of the number of replicas. Received: "
            f"{training.batch_size} and {strategy.num_replicas_in_sync}"
        )
    source = open_source(data.train, TRAINING, data.channels, data.minimum_side)
    held_out = open_source(data.validation, HELD_OUT, data.channels, data.minimum_side)
    if source.spec == held_out.spec:
        logging.warning("The held-out images are the training images: %s", source.spec)
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        prior = build_prior(config)
        prior.compile(
            optimizers={name: _adam(training) for name in ("generator", "discriminator")},
            real_label=training.real_label,
            average=training.average,
            seed=training.seed,
            config=dataclasses.asdict(config),
        )
    workdir = open_workdir(workdir, config)
    last = checkpoints.latest(workdir / CHECKPOINTS / "last")
    if last is not None:
        checkpoints.restore(prior.state, last)
        logging.info("Resumed at step %d of %d.", prior.step, training.steps)
    if prior.step < training.steps:
        _fit(prior, config, source, held_out, workdir)
    if not (workdir / PRIOR_FILE).exists():
        save_prior(prior.trained(), workdir / PRIOR_FILE)
    return prior.trained()


def _adam(training):
    return keras.optimizers.Adam(training.learning_rate, training.beta_1, training.beta_2)


def _fit(prior, config, source, held_out, workdir):
    data, training = config.data, config.training
    batches = training_images(
        source, data, batch_size=training.batch_size, seed=training.seed, start=prior.step
    )
    validation = evaluation_images(
        held_out, data, batch_size=training.batch_size, limit=data.validation_limit
    )
    examples = np.concatenate(list(validation.as_numpy_iterator()))[:EXAMPLES]
    # An incomplete last batch may be too small for every replica to have a part of it.
    replicas = prior.distribute_strategy.num_replicas_in_sync
    validation = validation.filter(lambda images: tf.shape(images)[0] % replicas == 0)
    prior.fit(
        batches,
        validation_data=validation,
        initial_epoch=prior.step // training.steps_per_epoch,
        epochs=training.steps // training.steps_per_epoch,
        steps_per_epoch=training.steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[
            StopOnNaN("training.learning_rate"),
            Progress(training.steps, LOSSES),
            PriorLog(workdir, workdir / LOGS, examples, training.seed),
            PriorSaver(workdir),
        ],
    )
