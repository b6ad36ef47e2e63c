"""Training: config -> images -> measurements -> networks -> checkpoints and logs."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from inversenet_tf import callbacks
from inversenet_tf.config import Config
from inversenet_tf.dae import DAE
from inversenet_tf.discriminator import Discriminator
from inversenet_tf.imaging import checkpoints
from inversenet_tf.imaging.atomic import written_aside
from inversenet_tf.imaging.callbacks import Progress, StopOnNaN
from inversenet_tf.imaging.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.metrics import SSIM_WINDOW
from inversenet_tf.imaging.operators import build_operator
from inversenet_tf.imaging.pairs import evaluation_pairs, training_pairs
from inversenet_tf.imaging.runs import (
    CHECKPOINTS,
    LOGS,
    default_strategy,
    open_workdir,
    read_config,
)
from inversenet_tf.inversenet import LOSSES, InverseNet
from inversenet_tf.unet import UNet

KERNEL_FILE = "kernel.npy"
EXAMPLES = 8  # images in TensorBoard
EXAMPLE_SIDE = 256  # at most


def build_model(config, with_discriminator=True):
    """The untrained networks of a config, built."""
    network, channels = config.network, config.data.channels
    dtype = config.training.precision
    unet = UNet(config.depth, channels, network.global_skip, dtype, name="unet")
    dae = DAE(
        network.dae_factor,
        channels,
        network.dae_condition,
        global_skip=network.global_skip,
        paper_literal=network.paper_literal,
        dtype=dtype,
        name="dae",
    )
    discriminator = None
    if with_discriminator:
        width = network.discriminator_width
        discriminator = Discriminator(channels, width, dtype, name="discriminator")
    return InverseNet(unet, dae, discriminator, config.operator.boundary)


def build_optimizer(optimizer, steps):
    """One Adam, its learning rate constant or a cosine that ends at zero after `steps`."""
    rate = optimizer.learning_rate
    if optimizer.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.Adam(rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)


def compile_model(model, config, comparator=None):
    """Gives a model its three optimizers and losses; call it in the strategy's scope."""
    steps, optimizer = config.training.steps, config.optimizer
    critic_steps = steps * optimizer.discriminator_steps
    model.compile(
        optimizers={
            "discriminator": build_optimizer(optimizer, critic_steps),
            "unet": build_optimizer(optimizer, steps),
            "dae": build_optimizer(optimizer, steps),
        },
        losses=config.loss,
        clip_norm=optimizer.clip_norm,
        discriminator_steps=optimizer.discriminator_steps,
        comparator=comparator,
        profile=config.metrics,
    )


def train(config, workdir, comparator=None):
    """Trains one experiment, or goes on with it where an earlier call was interrupted.

    Args:
        config: a `Config`.
        workdir: directory of the run: `config.json`, `checkpoints/`, `logs/`.
        comparator: frozen callable from images in [0, 1] to features, which
            `config.loss.comparator` then names; None for off.

    Returns:
        The trained `InverseNet`, in the state of the last step.

    Raises:
        ValueError: a config, data source or work directory that cannot be used; raised before
            anything is written.
        TrainingDiverged: a loss became NaN.
    """
    config.validate()
    strategy = default_strategy()
    _check_call(config, strategy, comparator)
    operator, images, held_out = open_data(config)
    keras.utils.set_random_seed(config.training.seed)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        model = build_model(config)
        compile_model(model, config, comparator)
    workdir = open_workdir(workdir, config)
    last = checkpoints.latest(workdir / CHECKPOINTS / "last")
    _keep_kernel(workdir, operator, is_new=last is None)
    if last is not None:
        checkpoints.restore(model.state, last)
        logging.info("Resumed at step %d of %d.", model.step, config.training.steps)
    if model.step < config.training.steps:
        _fit(model, config, operator, images, held_out, workdir)
    return model


def _check_call(config, strategy, comparator):
    """Whether the config, which is what a result is known by, tells the truth of this call."""
    if (comparator is None) != (config.loss.comparator == "none"):
        raise ValueError(
            "Expected loss.comparator to name the comparator that is passed to train, or "
            f'"none". Received: {config.loss.comparator!r} with comparator={comparator}'
        )
    if config.training.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            "Expected training.batch_size to be a multiple of the number of replicas. Received: "
            f"{config.training.batch_size} and {strategy.num_replicas_in_sync}"
        )


def open_data(config):
    """The forward operator, the training images and the held-out ones of a config.

    Raises:
        ValueError: a source or kernel that cannot be used.
    """
    data = config.data
    operator = build_operator(config.operator)
    operator.validate((data.size, data.size, data.channels))
    images = open_source(data.train, TRAINING, data.channels, data.minimum_side)
    held_out = open_held_out(data.validation, operator, config)
    if images.paired != held_out.paired:
        logging.warning("Only one of training and validation uses pairs: their operators differ.")
    if images.spec == held_out.spec:
        logging.warning("The validation images are the training images: %s", images.spec)
    return operator, images, held_out


def open_held_out(spec, operator, config):
    """The images of a source that are large enough to be measured and scored."""
    side = config.data.minimum_side
    if config.data.evaluation_crop == "whole":
        kernel = (1,) if operator.kernel is None else operator.kernel.shape[:2]
        side = max(SSIM_WINDOW + 2 * config.metrics.crop, *kernel)
    return open_source(spec, HELD_OUT, config.data.channels, side)


def _keep_kernel(workdir, operator, is_new):
    """A run is known by its kernel, whatever becomes of the file that the kernel came from."""
    path = workdir / KERNEL_FILE
    if operator.kernel is None:
        return
    if is_new:
        with written_aside(path) as partial:
            np.save(partial, operator.kernel)
    elif path.exists() and not np.allclose(np.load(path), operator.kernel, atol=1e-6):
        raise ValueError(
            f"Expected the kernel that this run began with, {path}. Received: another one."
        )


def kept_operator(workdir, config):
    """The operator of a run, with the kernel it was trained for."""
    path = Path(workdir).expanduser() / KERNEL_FILE
    operator = config.operator
    if path.exists():
        operator = dataclasses.replace(operator, kernel="file", kernel_file=str(path))
    return build_operator(operator)


def _fit(model, config, operator, images, held_out, workdir):
    """Algorithm 1 from the model's step to the config's last, with all that is watched."""
    training = config.training
    batches = training_pairs(
        images, operator, config.noise, config.data,
        batch_size=training.batch_size, seed=training.seed, start=model.step,
    )  # fmt: skip
    validation = evaluation_pairs(
        held_out, operator, config.noise, config.data,
        batch_size=training.batch_size, seed=training.seed, limit=config.data.validation_limit,
    )  # fmt: skip
    examples = example_batch(held_out, operator, config)
    model.fit(
        batches,
        validation_data=validation,
        initial_epoch=model.step // training.steps_per_epoch,
        epochs=training.steps // training.steps_per_epoch,
        steps_per_epoch=training.steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[
            StopOnNaN("optimizer.learning_rate"),
            Progress(training.steps, LOSSES),
            callbacks.TensorBoardLog(workdir / LOGS, *examples),
            callbacks.Checkpoints(workdir / CHECKPOINTS),
        ],
    )


def example_batch(source, operator, config):
    """(measurements, images) of the first few images of a source, cropped to one size."""
    data = config.data
    count = min(EXAMPLES, len(source))
    if data.evaluation_crop == "whole":
        loaded = [source.load(i) for i in range(count)]
        shapes = [(pair[0] if source.paired else pair).shape for pair in loaded]
        side = min(EXAMPLE_SIDE, *(min(shape[:2]) for shape in shapes))
        data = dataclasses.replace(data, evaluation_crop="center", size=side, crop_size=0)
    pairs = evaluation_pairs(
        source, operator, config.noise, data,
        batch_size=count, seed=config.training.seed, limit=count,
    )  # fmt: skip
    return next(iter(pairs.as_numpy_iterator()))


def load_trained(workdir, which="best"):
    """Loads a run's networks for use.

    Args:
        workdir: of a run of `train`.
        which: "best" by validation PSNR, or "last".

    Returns:
        (model, config, step): an `InverseNet` without discriminator, the resolved config, and
        the training step the weights are of.

    Raises:
        ValueError: the directory holds no run, or one without a checkpoint.
    """
    config = read_config(workdir, Config)
    checkpoint = checkpoints.latest(Path(workdir).expanduser() / CHECKPOINTS / which)
    if checkpoint is None:
        raise ValueError(f"Expected a trained model in {workdir}. Received: no checkpoint yet.")
    model = build_model(config, with_discriminator=False)
    checkpoints.restore_part({"unet": model.unet, "dae": model.dae}, checkpoint)
    return model, config, checkpoints.step_of(checkpoint)
