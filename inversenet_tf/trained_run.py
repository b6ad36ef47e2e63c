"""Keeps the networks and the operator of a run in its work directory, and loads them."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.adversarial import average_of
from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.engine.workdir import CHECKPOINTS, read_config
from inversenet_tf.imaging.checks import check_choice, check_positive
from inversenet_tf.imaging.config import CUSTOM, GIVEN, NoiseConfig
from inversenet_tf.imaging.files.arrays import read_array
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_json, write_json
from inversenet_tf.imaging.files.paths import check_named
from inversenet_tf.imaging.physics.degradation import UNEXPLAINED_SCORE, Degradation
from inversenet_tf.imaging.physics.operators import Blur, Operator, build_operator
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.presets import (
    KERNEL_FILE,
    SPECTRUM_FILE,
    is_preset,
    kept_kernel,
    load_preset,
    untrained_model,
)
from inversenet_tf.shipped import CARD_FILE, preset_or_path


def load_trained(
    workdir: str | Path,
    which: str = "best",
    precision: str | None = None,
    boundary: str | None = None,
) -> tuple[InverseNet, Config, int]:
    """Loads a run's networks for use.

    Args:
        workdir: of a run of `train`; or the name or folder of a preset.
        which: "best" by validation PSNR, or "last"; a preset has only one.
        precision: one of `PRECISIONS`, of the hidden layers; None for that of the training. The
            caller's own networks keep theirs.
        boundary: one of `BOUNDARIES` to restore with, if not that of the training: "reflect" for
            photographs, whose blur mixes in what lies beyond the frame.

    Returns:
        (model, config, step): an `InverseNet` without discriminator, the resolved config, and
        the training step the weights are of.

    Raises:
        ValueError: the directory holds no run, or one without a checkpoint; or another `which`.
        OSError: none of the checkpoints can be read.
    """
    check_named(workdir)
    check_choice("which", which, ("best", "last"))
    workdir = preset_or_path(workdir)
    if is_preset(workdir) or (workdir / CARD_FILE).is_file():
        return load_preset(workdir, precision, boundary)
    config = read_config(workdir, Config)
    directory = workdir / CHECKPOINTS / which
    if checkpoints.latest(directory) is None:
        raise ValueError(f"Expected a trained model in {workdir}. Received: no checkpoint yet.")
    model = untrained_model(config, workdir, precision, boundary, **kept_networks(workdir))
    kept = {
        average_of(name) if config.training.average else name: network
        for name, network in model.networks.items()
    }
    checkpoint = checkpoints.restore_part(kept, directory)
    return model, config, checkpoints.step_of(checkpoint)


def keep_spectrum(workdir, spectrum):
    """Keeps a spectrum with the run, for `kept_spectrum`."""
    write_json(workdir / SPECTRUM_FILE, dataclasses.asdict(spectrum))


def keep_kernel(workdir, operator, is_new):
    """Keeps the kernel of a new run; for an earlier one, checks that it is the same kernel."""
    path = workdir / KERNEL_FILE
    if operator.kernel is None:
        return
    if is_new:
        with written_aside(path) as partial:
            np.save(partial, operator.kernel)
    elif path.exists() and not np.allclose(read_array(path), operator.kernel, atol=1e-6):
        raise ValueError(
            f"Expected the kernel that this run was started with, {path}. Received: another one."
        )


def keep_networks(workdir, own, is_new):
    """Keeps the caller's own networks with a new run, so that it can be used without the caller."""
    for part, network in own.items():
        if network is not None and is_new:
            with written_aside(workdir / f"{part}.keras") as partial:
                network.save(partial)


def kept_networks(workdir):
    """Loads {part: network}, as `keep_networks` kept them."""
    paths = {part: Path(workdir) / f"{part}.keras" for part in ("inverter", "denoiser")}
    return {part: load_keras(path) for part, path in paths.items() if path.exists()}


def with_own_operator(config: Config, operator: Operator | None, noise: Callable | None) -> Config:
    """Returns a config that records the operator and the noise that the caller passes.

    A `Blur` is kept with its kernel; any other operator, and noise, have to be passed again to
    measure with the run.
    """
    if operator is None and noise is None:
        return config
    config = copy.deepcopy(config)
    config.noise.custom = config.noise.custom or noise is not None
    if type(operator) is Blur:
        config.operator.name, config.operator.kernel = "blur", GIVEN
        config.operator.kernel_file, config.operator.boundary = "", operator.boundary
    elif operator is not None:
        config.operator.name, config.operator.scale = CUSTOM, operator.scale
    return config


def kept_noise(config: Config) -> NoiseConfig:
    """The noise of a run.

    Raises:
        ValueError: it is the caller's own.
    """
    if config.noise.custom:
        raise ValueError(
            "Expected the noise of this run as noise=... in Python: it is the caller's own, which "
            "no file holds. Received: none"
        )
    return config.noise


def is_degradation_known(config: Config) -> bool:
    """Whether a config says how the measurements of its training are made."""
    return config.operator.name != CUSTOM and not config.data.train.startswith("pairs:")


def kept_degradation(
    workdir: str | Path, config: Config, which: str = "best"
) -> Degradation | None:
    """Returns what a run was trained to undo; None for the caller's own operator or for pairs."""
    if not is_degradation_known(config):
        return None
    kernel = None if config.operator.is_varied else kept_operator(workdir, config).kernel
    scores = checkpoints.last_scores(Path(workdir).expanduser() / CHECKPOINTS / which)
    unexplained = scores.get(UNEXPLAINED_SCORE, 0.0)
    return Degradation.of(config.operator, config.noise, kernel, unexplained)


def kept_bytes_per_pixel(folder: str | Path) -> float | None:
    """Returns the bytes that restoring a pixel takes, from a preset's card; None for a run."""
    card = Path(folder).expanduser() / CARD_FILE
    told = read_json(card) if card.is_file() else {}
    if "bytes_per_pixel" not in told:
        return None
    check_fields(told, {"bytes_per_pixel": NUMBER}, card)
    check_positive("bytes_per_pixel", told["bytes_per_pixel"])
    return told["bytes_per_pixel"]


def kept_operator(workdir: str | Path, config: Config) -> Operator:
    """The operator of a run, with the kernel it was trained for.

    Raises:
        ValueError: the run's operator is the caller's own, or a kernel of theirs that is gone.
    """
    operator = config.operator
    path = Path(workdir).expanduser() / KERNEL_FILE
    if operator.name == CUSTOM:
        raise ValueError(
            f"Expected the operator of {workdir} as operator=... in Python: it is the caller's "
            "own, which no file holds. Received: none"
        )
    if operator.is_own:
        if not path.exists():
            raise ValueError(
                "Expected the caller's own Blur as operator=... in Python, or its kernel in "
                f"{path}. Received: none"
            )
        return Blur(kept_kernel(workdir), operator.boundary)  # of any sum and sign
    # The scale alone determines the bicubic kernel; its negative values are not valid in a file.
    if path.exists() and operator.kernel != "bicubic":
        operator = dataclasses.replace(operator, kernel="file", kernel_file=str(path))
    return build_operator(operator)
