"""What a baseline leaves open, chosen on training images: the constant of the Wiener filters.

It belongs to the operator and the noise at hand, so it is kept with the run that has them, and
stands in every result. Nothing of it is taken from images that a result reports.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from inversenet_tf.config import Config
from inversenet_tf.imaging.baselines.wiener import best_balance, default_balance
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.pairs import degrade, evaluation_pairs
from inversenet_tf.imaging.data.sources import ImageSource, Selection
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_json, write_json
from inversenet_tf.imaging.physics.kernels import mismatched
from inversenet_tf.imaging.physics.operators import Operator

CONSTANTS_FILE = "baselines.json"
IMAGES = 16  # that a constant is chosen on, at most
LARGEST_SIDE = 512  # in pixels, of what is taken of whole photographs
KERNELS = {"wiener": lambda kernel: kernel, "wiener_mismatched": mismatched}


def is_wiener_shown(config: Config, operator: Operator) -> bool:
    """Whether the Wiener filter takes part in the evaluations of a config."""
    return config.operator.name == "blur" and not operator.is_varied


def choose_constants(
    config: Config,
    operator: Operator,
    images: ImageSource,
    noise: Callable | None = None,
    names: tuple[str, ...] = ("wiener",),
) -> dict[str, dict]:
    """The constants of Wiener filters that restore training images best.

    Args:
        config: of the run, with the noise at hand.
        operator: a blur of one kernel.
        images: those that the run trains on, of which some are taken that are spread over all.
        noise: the caller's own; None for the config's.
        names: of the filters, of `KERNELS`.

    Returns:
        {name: {"balance": ..., "chosen_on": ...}}, as every result states it. Of a user's own
        pairs, which another operator made, nothing can be chosen: they give the default.
    """
    sigma = config.noise.gaussian_sigma
    if images.paired:
        return _defaults(names, sigma, "no images: the training images are pairs")
    indices = list(range(0, len(images), max(1, len(images) // IMAGES)))[:IMAGES]
    pairs = list(_pairs(Selection(images, indices), operator, config, noise or config.noise))
    return {
        name: {
            "balance": best_balance(pairs, KERNELS[name](operator.kernel), sigma),
            "chosen_on": f"{len(indices)} training images of {images.spec}",
        }
        for name in names
    }


def _pairs(images, operator, config, noise):
    """Batches of (measurements, images), as an evaluation has them, but of moderate size."""
    seed = config.training.seed
    if config.data.evaluation_crop == "center":
        pairs = evaluation_pairs(images, operator, noise, config.data, batch_size=IMAGES, seed=seed)
        yield from pairs.as_numpy_iterator()
        return
    for index in range(len(images)):
        image = images.load_part(index, _middle)[np.newaxis]
        yield degrade(tf.constant(image), operator, noise, [[seed, index]]).numpy(), image


def _middle(height, width):
    """The slices of what is taken of a whole photograph."""
    spare = [max(side - LARGEST_SIDE, 0) // 2 for side in (height, width)]
    return tuple(slice(first, first + LARGEST_SIDE) for first in spare)


def constants_of(
    workdir: Path | None,
    config: Config,
    operator: Operator,
    noise: Callable | None = None,
    names: tuple[str, ...] = ("wiener",),
) -> dict[str, dict]:
    """Those that a run keeps, or those that its training images give now.

    Args:
        workdir: of the run; None where its operator or noise are not those that it was trained for.
        config, operator, noise, names: as for `choose_constants`.

    Returns:
        As `choose_constants`; nothing where no Wiener filter takes part. Where the training images
        are gone, the default, which says so.

    Raises:
        ValueError: what the run keeps was edited, and is none any more.
    """
    if not is_wiener_shown(config, operator):
        return {}
    path = None if workdir is None else workdir / CONSTANTS_FILE
    if path is not None and path.is_file():
        kept = read_json(path)
        check_fields(kept, dict.fromkeys(names, {"balance": NUMBER, "chosen_on": str}), path)
        return kept
    data = config.data
    try:
        images = open_source(data.train, TRAINING, data.channels, data.minimum_side)
        return choose_constants(config, operator, images, noise, names)
    except (ValueError, OSError) as error:
        logging.warning("The Wiener filter has its default constant: %s", error)
        reason = f"no images: those of {data.train} cannot be used"
        return _defaults(names, config.noise.gaussian_sigma, reason)


def keep_constants(workdir, config, operator, images, noise=None):
    """Chooses and keeps them with a run that has none yet; `constants_of` reads them."""
    path = workdir / CONSTANTS_FILE
    if is_wiener_shown(config, operator) and not path.exists():
        write_json(path, choose_constants(config, operator, images, noise))


def _defaults(names, noise_sigma, reason):
    constant = {"balance": default_balance(noise_sigma), "chosen_on": reason}
    return dict.fromkeys(names, constant)
