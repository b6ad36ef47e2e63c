"""Trains a prior: config -> images -> GAN -> checkpoints, logs and the prior's file."""

import dataclasses
import shlex
from pathlib import Path

import numpy as np

from blind_gan_tf.callbacks import SAMPLES_FILE, PriorLog, PriorSaver
from blind_gan_tf.memory import check_prior_fits
from blind_gan_tf.networks import NETWORKS
from blind_gan_tf.prior import PRIOR_FILE, Prior, load_prior, save_prior
from inversenet_tf.engine.callbacks import SaturationAlarm
from inversenet_tf.engine.optimizers import build_adam, new_learning_rate_factor
from inversenet_tf.engine.session import (
    is_begun,
    is_finished,
    resume,
    say_if_finished,
    session,
    train_on,
)
from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.engine.workdir import LOGS, fix_randomness, learned_from, open_workdir
from inversenet_tf.engine.workers import check_agreement, is_chief, other_workers
from inversenet_tf.imaging.data.cache import cached
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.inventory import notice_changes
from inversenet_tf.imaging.data.overlap import warn_of_overlap
from inversenet_tf.imaging.data.pairs import ONE_PROCESS, evaluation_images, training_images
from inversenet_tf.imaging.data.sources import sample_of
from inversenet_tf.imaging.files.paths import check_outside

EXAMPLES = 64  # images in a grid


def build_prior(config):
    """Builds the untrained prior of a `PriorConfig`."""
    generator, discriminator = NETWORKS[config.network.name]
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


def train_prior(config, workdir, extend=False):
    """Trains a prior, or resumes where an earlier call was interrupted.

    Args:
        config: a `PriorConfig`.
        workdir: directory of the run: `config.json`, `checkpoints/`, `logs/`, `samples.png` and
            `prior.keras`, which `load_prior` reads.
        extend: as for `inversenet_tf.train`.

    Returns:
        The trained `Prior`, with the averaged generator where the config asks for one.

    Raises:
        ValueError: a config, data source or work directory that cannot be used; raised before
            anything is written.
        OSError: none of the checkpoints can be read.
        InUse: another process trains in the work directory.
        Interrupted: SIGTERM arrived and the state was saved, or another worker is gone.
        TrainingDiverged: a loss or gradient was not finite, even at a lower learning rate.
    """
    config.validate()
    check_prior_fits(config)
    strategy = build_strategy(config.runtime, config.training.batch_size)
    check_outside(workdir, config.data.train, config.data.validation)
    with session(workdir, strategy) as workdir:
        say_if_finished(workdir, config.training)
        return _train(config, workdir, strategy, extend)


def _train(config, workdir, strategy, extend):
    """Does the work of `train_prior` once the work directory is locked."""
    source, held_out = _open_data(config)
    fix_randomness(config.training)
    check_agreement(strategy, config=learned_from(config), images=source.names)
    begins_with = {}
    if config.training.initial_weights and not is_begun(workdir) and is_chief(strategy):
        begins_with = initial_weights(config)
    with other_workers(strategy), strategy.scope():
        prior = build_prior(config)
        for name, weights in begins_with.items():  # the other workers get them from the chief
            prior.networks[name].set_weights(weights)
        compile_prior(prior, config)
    if is_chief(strategy):
        open_workdir(workdir, config, free=("runtime",), extend=extend)
        sources = {"training": source, "validation": held_out}
        notice_changes(workdir, sources, not is_begun(workdir))
    resume(prior, strategy, workdir)
    if not is_finished(prior, config.training):
        _train_on(prior, strategy, config, source, held_out, workdir)
    if is_chief(strategy) and not (workdir / PRIOR_FILE).exists():
        save_prior(prior.trained(), workdir / PRIOR_FILE)
    return prior.trained()


def what_next(workdir):
    """A message about what to look at after a training, and which command may follow."""
    prior = f"--config.prior={shlex.quote(str(workdir))}"
    return (
        f"Look at {Path(workdir) / SAMPLES_FILE}. Possible next step:\n"
        f"  inversenet invert --config=EXPERIMENT --workdir=runs/inversion {prior}"
    )


def initial_weights(config):
    """The weights of the prior from which a training starts, for fine-tuning.

    The generator's are the averaged ones if that prior's training kept an average. The optimizers
    start afresh.

    Args:
        config: a `PriorConfig` that names a prior in `training.initial_weights`.

    Returns:
        {name of a network: list of arrays, as its `set_weights` takes them}.

    Raises:
        ValueError: it is no prior, or its networks differ from those of the config.
    """
    where = config.training.initial_weights
    begun = load_prior(where)
    weights = {name: network.get_weights() for name, network in begun.networks.items()}
    for name, network in build_prior(config).networks.items():
        expected = [tuple(weight.shape) for weight in network.weights]
        present = [array.shape for array in weights[name]]
        if present != expected:
            raise ValueError(
                f"Expected training.initial_weights to be a prior with the {name} of the config, "
                f"whose weights have the shapes {expected}. Received: {where}, with {present}"
            )
    return weights


def compile_prior(prior, config):
    """Compiles a prior with its optimizers; call it in the strategy's scope."""
    training, factor = config.training, new_learning_rate_factor()

    def adam():
        return build_adam(
            training.learning_rate,
            factor,
            training.precision,
            beta_1=training.beta_1,
            beta_2=training.beta_2,
        )

    prior.compile(
        optimizers={name: adam() for name in prior.networks},
        real_label=training.real_label,
        average=training.average,
        seed=training.seed,
        config=dataclasses.asdict(config),
        learning_rate_factor=factor,
    )


def _open_data(config):
    """The sources of the training images and of the held-out ones."""
    data = config.data
    source = open_source(data.train, TRAINING, data.channels, data.minimum_side)
    if config.runtime.cache:
        source = cached(source)
    held_out = open_source(data.validation, HELD_OUT, data.channels, data.minimum_side)
    if min(len(held_out), data.validation_limit) < 2:
        raise ValueError(
            "Expected at least two held-out images in data.validation, and data.validation_limit "
            "of at least 2, as samples must differ as much as these images do. Received: "
            f"{len(held_out)} and {data.validation_limit}"
        )
    warn_of_overlap(source, held_out)
    return source, held_out


def _train_on(prior, strategy, config, source, held_out, workdir):
    """Trains from the prior's step to the config's last, with all callbacks."""
    data, training = config.data, config.training
    batch_size = training.batch_size

    def batches(context):
        return training_images(
            source,
            data,
            batch_size=batch_size,
            seed=training.seed,
            start=prior.step,
            context=context,
        )

    validated = sample_of(held_out, data.validation_limit, training.seed)

    def validation(context=ONE_PROCESS):
        return evaluation_images(
            validated, data, batch_size=batch_size, skip_unreadable=True, context=context
        )

    examples = np.concatenate(list(validation().as_numpy_iterator()))[:EXAMPLES]
    train_on(
        prior,
        strategy,
        workdir,
        batches,
        validation,
        config,
        learning_rate_field="training.learning_rate",
        callbacks=[
            SaturationAlarm("A narrower discriminator or training.real_label=0.9 may help."),
            PriorLog(workdir, workdir / LOGS, examples, training.seed),
            PriorSaver(workdir / PRIOR_FILE),
        ],
    )
