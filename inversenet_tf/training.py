"""Training: config -> images -> measurements -> networks -> checkpoints and logs."""

import copy
import dataclasses
from pathlib import Path

import keras
import numpy as np
from absl import logging

from inversenet_tf import callbacks
from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.adversarial import average_of, check_layers
from inversenet_tf.engine.callbacks import SaturationAlarm
from inversenet_tf.engine.optimizers import build_adam, new_learning_rate_factor
from inversenet_tf.engine.session import LAST, is_finished, resume, train_on
from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.engine.workdir import (
    CHECKPOINTS,
    LOGS,
    fix_randomness,
    learned_from,
    open_workdir,
    read_config,
)
from inversenet_tf.engine.workers import check_agreement, is_chief, other_workers
from inversenet_tf.imaging.data.cache import cached
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.pairs import evaluation_pairs, training_pairs
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.metrics import SSIM_WINDOW
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.models.build import CUSTOM, NONE, build_model, check_networks, rebuilt
from inversenet_tf.models.perceptual.comparator import build_comparator

KERNEL_FILE = "kernel.npy"
ANNEALING = "annealing"
EXAMPLES = 8  # images in TensorBoard
EXAMPLE_SIDE = 256  # at most


def build_optimizer(config, updates, learning_rate_factor):
    """One Adam, its learning rate constant or a cosine that ends at zero after `updates`."""
    optimizer = config.optimizer
    rate, warmup_steps = optimizer.learning_rate, int(optimizer.warmup_fraction * updates)
    if warmup_steps:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, updates - warmup_steps),
            warmup_target=rate,
            warmup_steps=warmup_steps,
            alpha=0.0 if optimizer.schedule == "cosine" else 1.0,  # what it ends at, of the rate
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
        optimizers={n: build_optimizer(config, count, factor) for n, count in updates.items()},
        losses=config.loss,
        clip_norm=optimizer.clip_norm,
        discriminator_steps=optimizer.discriminator_steps,
        pretraining_steps=pretraining_steps,
        comparator=comparator,
        profile=config.metrics,
        learning_rate_factor=factor,
        average=config.training.average,
    )


def train(config, workdir, comparator=None, inverter=None, denoiser=None):
    """Trains one experiment, or goes on with it where an earlier call was interrupted.

    Args:
        config: a `Config`.
        workdir: directory of the run: `config.json`, `checkpoints/`, `logs/`.
        comparator, inverter, denoiser: the caller's own, where the config names "custom": a
            frozen callable from images in [0, 1] to features, and networks as `models/build.py`
            describes them, of which copies are trained.

    Returns:
        The trained `InverseNet`, in the state of the last step.

    Raises:
        ValueError: a config, data source, weight file or work directory that cannot be used;
            raised before anything is written.
        OSError: none of the checkpoints can be read.
        Interrupted: SIGTERM came and the state is saved, or another worker is gone.
        TrainingDiverged: a loss or gradient was not finite, and once more at a lower rate.
    """
    config.validate()
    strategy = build_strategy(config.runtime, config.training.batch_size)
    own = {"inverter": inverter, "denoiser": denoiser}
    _check_call(config, own | {"comparator": comparator})
    operator, images, held_out = open_data(config)
    fix_randomness(config.training)
    check_agreement(strategy, config=learned_from(config), images=images.names)
    with other_workers(strategy), strategy.scope():
        model = build_model(config, **{part: rebuilt(part, own[part]) for part in own})
        compile_model(model, config, comparator or comparator_of(config))
    check_networks(model, config)
    check_layers(model, strategy.num_replicas_in_sync)
    workdir = Path(workdir).expanduser()
    if is_chief(strategy):
        _open_workdir(workdir, config, operator, own)
    resume(model, strategy, workdir)
    if not is_finished(model, config.training):
        _train_on(model, strategy, config, operator, images, held_out, workdir)
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


def _check_call(config, own):
    """Whether the config, which is what a result is known by, tells the truth of this call."""
    for part, passed in own.items():
        section = "loss" if part == "comparator" else "network"
        named = getattr(getattr(config, section), part)
        if (passed is not None) != (named == CUSTOM):
            raise ValueError(
                f'Expected {section}.{part} "{CUSTOM}" where a {part} is passed to train, and only '
                f"there. Received: {named!r} with {part}={passed}"
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
    if config.runtime.cache:
        images = cached(images)
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


def _open_workdir(workdir, config, operator, own):
    """Makes the work directory, or checks that it holds this experiment."""
    open_workdir(workdir, config, free=("runtime",))
    is_new = checkpoints.latest(workdir / CHECKPOINTS / LAST) is None
    _keep_kernel(workdir, operator, is_new)
    _keep_networks(workdir, own, is_new)


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


def _train_on(model, strategy, config, operator, images, held_out, workdir):
    """Algorithm 1 from the model's step to the config's last, with all that is watched."""
    data, training = config.data, config.training
    shared = {"batch_size": training.batch_size, "seed": training.seed}

    def batches(context):
        return training_pairs(
            images, operator, config.noise, data, start=model.step, context=context, **shared
        )

    def validation(context):
        limit = data.validation_limit
        return evaluation_pairs(
            held_out, operator, config.noise, data, limit=limit, context=context, **shared
        )

    examples = example_batch(held_out, operator, config)
    train_on(
        model,
        strategy,
        workdir,
        batches,
        validation,
        config,
        learning_rate_field="optimizer.learning_rate",
        callbacks=[
            SaturationAlarm("A smaller loss.adversarial_weight may help."),
            callbacks.TensorBoardLog(workdir / LOGS, *examples),
            callbacks.AnnealingSnapshots(workdir / ANNEALING, *examples),
            callbacks.BestCheckpoint(workdir / CHECKPOINTS / "best"),
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
            data, evaluation_crop="center", size=side, crop_size=0, crop_fraction=0.0
        )
    pairs = evaluation_pairs(
        source,
        operator,
        config.noise,
        data,
        batch_size=count,
        seed=config.training.seed,
        limit=count,
    )
    return next(iter(pairs.as_numpy_iterator()))


def load_trained(workdir, which="best", precision=None):
    """Loads a run's networks for use.

    Args:
        workdir: of a run of `train`.
        which: "best" by validation PSNR, or "last".
        precision: one of `PRECISIONS`, of the hidden layers; None for that of the training. The
            caller's own networks keep theirs.

    Returns:
        (model, config, step): an `InverseNet` without discriminator, the resolved config, and
        the training step the weights are of.

    Raises:
        ValueError: the directory holds no run, or one without a checkpoint.
        OSError: none of the checkpoints can be read.
    """
    config = read_config(workdir, Config)
    workdir = Path(workdir).expanduser()
    directory = workdir / CHECKPOINTS / which
    if checkpoints.latest(directory) is None:
        raise ValueError(f"Expected a trained model in {workdir}. Received: no checkpoint yet.")
    used = copy.deepcopy(config)
    used.training.precision = precision or config.training.precision
    model = build_model(used, **_kept_networks(workdir), with_discriminator=False)
    kept = {
        average_of(name) if config.training.average else name: network
        for name, network in model.networks.items()
    }
    checkpoint = checkpoints.restore_part(kept, directory)
    return model, config, checkpoints.step_of(checkpoint)
