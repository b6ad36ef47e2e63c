"""Presets: trained networks that ship with the package, each in a few files."""

import copy
from pathlib import Path

import keras
import numpy as np

from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import read_config
from inversenet_tf.imaging.config import LARGEST_KERNEL
from inversenet_tf.imaging.config_parsing import valid_config
from inversenet_tf.imaging.files.arrays import read_array, read_arrays
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import read_field, read_json
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.build import build_model, solvers_of
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.shipped import CARD_FILE

KERNEL_FILE = "kernel.npy"
SPECTRUM_FILE = "spectrum.json"
WEIGHTS_FILE = "weights.npz"


def is_preset(folder: str | Path) -> bool:
    """Whether a folder holds a preset, with its weights in one file instead of checkpoints."""
    return (Path(folder).expanduser() / WEIGHTS_FILE).is_file()


def load_preset(
    folder: str | Path, precision: str | None = None, boundary: str | None = None
) -> tuple[InverseNet, Config, int]:
    """Loads the networks of a preset for use.

    Args:
        folder: of the preset.
        precision, boundary: of the networks; None for those of the training.

    Returns:
        (model, config, step), as `load_trained` returns them.

    Raises:
        ValueError: the folder holds no preset, or its weights do not fit its config.
    """
    folder = Path(folder).expanduser()
    if (folder / CARD_FILE).is_file() and not is_preset(folder):
        raise ValueError(
            "Expected a preset that restores images. Received: "
            f"{folder.name}, a prior, which `blind_gan_tf.Prior.load` reads"
        )
    config = read_config(folder, Config)
    model = untrained_model(config, folder, precision, boundary)
    weights = read_arrays(folder / WEIGHTS_FILE)
    for name, network in model.networks.items():
        kept = [weights[key] for key in _keys(name, len(network.weights)) if key in weights]
        expected = [tuple(weight.shape) for weight in network.weights]
        if [values.shape for values in kept] != expected:
            raise ValueError(
                f"Expected {folder / WEIGHTS_FILE} to hold the {len(expected)} weights of the "
                f"{name} that the config describes. Received: {len(kept)}, or others"
            )
        network.set_weights(kept)
    return model, config, read_field(folder / CARD_FILE, "step", int)


def untrained_model(
    config: Config,
    folder: Path,
    precision: str | None = None,
    boundary: str | None = None,
    **networks,
) -> InverseNet:
    """Builds the model of a config for use, with the kernel and the spectrum in a folder.

    Args:
        config: of the run.
        folder: of the run or preset.
        precision, boundary: of the networks; None for those of the config.
        **networks: the caller's own inverter and denoiser, as for `build_model`.
    """
    used = copy.deepcopy(config)
    used.training.precision = precision or config.training.precision
    used.operator.boundary = boundary or config.operator.boundary
    solvers = solvers_of(used, kept_kernel(folder), kept_spectrum(folder))
    return build_model(used, **networks, with_discriminator=False, solvers=solvers)


def write_weights(folder: Path, networks: dict[str, keras.Model]) -> None:
    """Writes the weights of networks in the form that `load_preset` reads.

    Kernels are stored as float16, which changes a restored image by less than rounding to 8 bits
    does; biases and batch norms, which are small, stay float32.
    """
    arrays = {}
    for name, network in networks.items():
        values = network.get_weights()
        arrays |= dict(zip(_keys(name, len(values)), map(_packed, values), strict=True))
    with written_aside(folder / WEIGHTS_FILE) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)


def _packed(values):
    return values.astype(np.float16) if values.ndim > 1 else values


def _keys(name, count):
    return [f"{name}_{number:03d}" for number in range(count)]


def kept_kernel(folder: str | Path) -> np.ndarray | None:
    """The kernel that a run was trained for, or None where its operator has none.

    Raises:
        ValueError: the file holds no kernel; it may have been edited.
    """
    path = Path(folder).expanduser() / KERNEL_FILE
    if not path.exists():
        return None
    kernel = read_array(path)
    is_kernel = kernel.ndim in (2, 3) and max(kernel.shape) <= LARGEST_KERNEL
    if not (is_kernel and kernel.dtype.kind == "f" and np.isfinite(kernel).all() and kernel.any()):
        raise ValueError(
            f"Expected a kernel of at most {LARGEST_KERNEL} pixels a side in {path}. Received: "
            f"{kernel.dtype} of shape {kernel.shape}"
        )
    return kernel


def kept_spectrum(folder: str | Path) -> Spectrum:
    """The spectrum of a run's training images; that of natural images where none was kept."""
    path = Path(folder).expanduser() / SPECTRUM_FILE
    if not path.exists():
        return Spectrum()
    return valid_config(Spectrum, read_json(path), path)
