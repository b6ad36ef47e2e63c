"""Sets up a model for training by its config: optimizers, losses and the comparator."""

import keras

from inversenet_tf.config import CUSTOM, NONE
from inversenet_tf.engine.optimizers import build_adam, new_learning_rate_factor
from inversenet_tf.models.perceptual.comparator import build_comparator


def build_optimizer(config, updates, learning_rate_factor, factor=1.0):
    """Builds Adam for a network, with a constant learning rate or a cosine decay to zero.

    Args:
        config: a `Config`.
        updates: of the network in the whole training, after which a cosine decay ends.
        learning_rate_factor: the variable that all learning rates are multiplied by.
        factor: multiplies the learning rate of this network.
    """
    optimizer = config.optimizer
    rate, warmup_steps = factor * optimizer.learning_rate, int(optimizer.warmup_fraction * updates)
    if warmup_steps:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, updates - warmup_steps),
            warmup_target=rate,
            warmup_steps=warmup_steps,
            alpha=0.0 if optimizer.schedule == "cosine" else 1.0,  # final rate / rate
        )
    elif optimizer.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, updates)
    return build_adam(
        rate,
        learning_rate_factor,
        config.training.precision,
        beta_1=optimizer.beta_1,
        beta_2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
    )


def compile_model(model, config, comparator=None):
    """Gives a model its optimizers and losses; call it in the strategy's scope."""
    steps, optimizer = config.training.steps, config.optimizer
    pretraining_steps = int(config.loss.pretraining_fraction * steps)
    updates = dict.fromkeys(model.networks, steps)
    if "discriminator" in updates:
        updates["discriminator"] = max(1, steps - pretraining_steps) * optimizer.discriminator_steps
    factor = new_learning_rate_factor()
    model.compile(
        optimizers={
            name: build_optimizer(
                config, count, factor, optimizer.denoiser_factor if name == "denoiser" else 1.0
            )
            for name, count in updates.items()
        },
        losses=config.loss,
        clip_norm=optimizer.clip_norm,
        discriminator_steps=optimizer.discriminator_steps,
        pretraining_steps=pretraining_steps,
        comparator=comparator,
        profile=config.metrics,
        learning_rate_factor=factor,
        average=config.training.average,
    )


def comparator_of(config):
    """Builds the frozen comparator C that a config names; None if it names none of ours.

    Raises:
        ValueError: its weights are missing or not as expected.
    """
    loss = config.loss
    if loss.comparator in (NONE, CUSTOM):
        return None
    return build_comparator(
        loss.comparator,
        loss.comparator_weights,
        sha256=loss.comparator_sha256,
        size=loss.comparator_size,
        before_relu=loss.comparator_before_relu,
        dtype=config.training.precision,
    )
