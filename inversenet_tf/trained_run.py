"""What the work directory of a run holds of its networks and its operator, and how it is loaded."""

import copy
import dataclasses
from pathlib import Path

import keras
import numpy as np

from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.adversarial import average_of
from inversenet_tf.engine.workdir import CHECKPOINTS, read_config
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.models.build import build_model

KERNEL_FILE = "kernel.npy"


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
    model = build_model(used, **kept_networks(workdir), with_discriminator=False)
    kept = {
        average_of(name) if config.training.average else name: network
        for name, network in model.networks.items()
    }
    checkpoint = checkpoints.restore_part(kept, directory)
    return model, config, checkpoints.step_of(checkpoint)


def keep_kernel(workdir, operator, is_new):
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


def keep_networks(workdir, own, is_new):
    """The caller's own networks are kept too, so that the run can be used without the caller."""
    for part, network in own.items():
        if network is not None and is_new:
            with written_aside(workdir / f"{part}.keras") as partial:
                network.save(partial)


def kept_networks(workdir):
    """{part: network} of what `keep_networks` kept."""
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
