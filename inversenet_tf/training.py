"""Training: config -> images -> measurements -> networks -> checkpoints and logs."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from inversenet_tf import callbacks
from inversenet_tf.comparator import build_comparator
from inversenet_tf.config import Config
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
from inversenet_tf.networks import CUSTOM, NONE, build_model, check_networks, rebuilt

KERNEL_FILE = "kernel.npy"
ANNEALING = "annealing"
EXAMPLES = 8  # images in TensorBoard
EXAMPLE_SIDE = 256  # at most


def build_optimizer(optimizer, steps):
    """One Adam, its learning rate constant or a cosine that ends at zero after `steps`."""
    rate = optimizer.learning_rate
    if optimizer.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.Adam(rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)


def compile_model(model, config, comparator=None):
    """Gives a model its optimizers and losses; call it in the strategy's scope."""
    steps, optimizer = config.training.steps, config.optimizer
    updates = dict.fromkeys(model.networks, steps)
    if "discriminator" in updates:
        updates["discriminator"] = steps * optimizer.discriminator_steps
    model.compile(
        optimizers={name: build_optimizer(optimizer, count) for name, count in updates.items()},
        losses=config.loss,
        clip_norm=optimizer.clip_norm,
        discriminator_steps=optimizer.discriminator_steps,
        pretraining_steps=int(config.loss.pretraining_share * steps),
        comparator=comparator,
        profile=config.metrics,
    )


def train(config, workdir, comparator=None, inverter=None, denoiser=None):
    """Trains one experiment, or goes on with it where an earlier call was interrupted.

    Args:
        config: a `Config`.
        workdir: directory of the run: `config.json`, `checkpoints/`, `logs/`.
        comparator, inverter, denoiser: the caller's own, where the config names "custom": a
            frozen callable from images in [0, 1] to features, and networks as `networks.py`
            describes them, of which copies are trained.

    Returns:
        The trained `InverseNet`, in the state of the last step.

    Raises:
        ValueError: a config, data source, weight file or work directory that cannot be used;
            raised before anything is written.
        TrainingDiverged: a loss became NaN.
    """
    config.validate()
    strategy = default_strategy()
    own = {"inverter": inverter, "denoiser": denoiser}
    _check_call(config, strategy, own | {"comparator": comparator})
    operator, images, held_out = open_data(config)
    keras.utils.set_random_seed(config.training.seed)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        model = build_model(config, **{part: rebuilt(part, own[part]) for part in own})
        compile_model(model, config, comparator or comparator_of(config))
    check_networks(model, config)
    workdir = open_workdir(workdir, config)
    last = checkpoints.latest(workdir / CHECKPOINTS / "last")
    _keep_kernel(workdir, operator, is_new=last is None)
    _keep_networks(workdir, own, is_new=last is None)
    if last is not None:
        checkpoints.restore(model.state, last)
        logging.info("Resumed at step %d of %d.", model.step, config.training.steps)
    if model.step < config.training.steps:
        _fit(model, config, operator, images, held_out, workdir)
    return model


def comparator_of(config):
    """The frozen network a config names as C, or None.

    Raises:
        ValueError: its weights are missing or not what they should be.
    """
    loss = config.loss
    if loss.comparator in (NONE, CUSTOM):
        return None
    return build_comparator(
        loss.comparator,
        loss.comparator_weights,
        loss.comparator_sha256,
        loss.comparator_size,
        loss.comparator_before_relu,
        config.training.precision,
    )


def _check_call(config, strategy, own):
    """Whether the config, which is what a result is known by, tells the truth of this call."""
    for part, passed in own.items():
        section = "loss" if part == "comparator" else "network"
        named = getattr(getattr(config, section), part)
        if (passed is not None) != (named == CUSTOM):
            raise ValueError(
                f'Expected {section}.{part} "{CUSTOM}" where a {part} is passed to train, and only '
                f"there. Received: {named!r} with {part}={passed}"
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
        side += -side % operator.scale  # what remains of an image trimmed to multiples
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


def _keep_networks(workdir, own, is_new):
    """The caller's own networks are kept too, so that the run can be used without the caller."""
    for part, network in own.items():
        if network is not None and is_new:
            with written_aside(workdir / f"{part}.keras") as partial:
                network.save(partial)


def _kept_networks(workdir):
    """{part: network} of what `_keep_networks` kept."""
    paths = {part: Path(workdir) / f"{part}.keras" for part in ("inverter", "denoiser")}
    return {
        part: keras.saving.load_model(path, compile=False)
        for part, path in paths.items()
        if path.exists()
    }


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
            Progress(training.steps, [f"{name}_loss" for name in model.networks]),
            callbacks.TensorBoardLog(workdir / LOGS, *examples),
            callbacks.AnnealingSnapshots(workdir / ANNEALING, *examples),
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
        side -= side % operator.scale
        data = dataclasses.replace(
            data, evaluation_crop="center", size=side, crop_size=0, crop_share=0.0
        )
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
    workdir = Path(workdir).expanduser()
    checkpoint = checkpoints.latest(workdir / CHECKPOINTS / which)
    if checkpoint is None:
        raise ValueError(f"Expected a trained model in {workdir}. Received: no checkpoint yet.")
    model = build_model(config, **_kept_networks(workdir), with_discriminator=False)
    checkpoints.restore_part(model.networks, checkpoint)
    return model, config, checkpoints.step_of(checkpoint)
