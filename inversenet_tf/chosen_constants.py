"""What a baseline leaves open, chosen on training images: a constant of each linear filter.

The Wiener filters have a weight of their regulariser, the linear optimum a factor of the noise.

It belongs to the operator and the noise at hand, so it is kept with the run that has them, and
stands in every result. Nothing of it is taken from images that a result reports.
"""

from collections.abc import Callable
from pathlib import Path

from absl import logging

from inversenet_tf.baselines import BASELINES, CHOSEN_ON
from inversenet_tf.config import CLOSED_FORMS, Config
from inversenet_tf.imaging.baselines.choosing import best_of
from inversenet_tf.imaging.baselines.lmmse import TRIED as NOISE_FACTORS
from inversenet_tf.imaging.baselines.wiener import best_balance, default_balance
from inversenet_tf.imaging.checks import check_range
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.pairs import evaluation_pairs, read_pairs
from inversenet_tf.imaging.data.sources import ImageSource, spread_over
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_json, write_json
from inversenet_tf.imaging.physics.kernels import mismatched
from inversenet_tf.imaging.physics.operators import Operator
from inversenet_tf.imaging.physics.solvers import ASSUMED_NOISE
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.imaging.wording import counted

CONSTANTS_FILE = "baselines.json"
IMAGES = 16  # that a constant is chosen on, at most
LARGEST_SIDE = 512  # in pixels, of what is taken of whole photographs
KERNELS = {"wiener": lambda kernel: kernel, "wiener_mismatched": mismatched}
# What the constant of each baseline is called.
NAMES = dict.fromkeys(KERNELS, "balance") | {"lmmse": "noise_factor"}
LIMITS = 1e-12, 1e12  # of a constant that is read: far beyond what is tried


def chosen_for(config: Config, operator: Operator) -> tuple[str, ...]:
    """The baselines in the evaluations of a config whose constants can be chosen once for all."""
    if operator.is_varied or config.operator.name not in CLOSED_FORMS:
        return ()
    return ("wiener", "lmmse") if config.operator.name == "blur" else ("lmmse",)


def choose_constants(
    config: Config,
    operator: Operator,
    images: ImageSource,
    noise: Callable | None = None,
    names: tuple[str, ...] = ("wiener",),
    spectrum: Spectrum | None = None,
) -> dict[str, dict]:
    """The constants of baselines that restore training images best.

    Args:
        config: of the run, with the noise at hand.
        operator: of one kernel; for a Wiener filter a blur.
        images: those that the run trains on, of which some are taken that are spread over all.
        noise: the caller's own; None for the config's.
        names: of the baselines, keys of `NAMES`.
        spectrum: of the training images, for "lmmse".

    Returns:
        {name: {"balance" or "noise_factor": ..., "chosen_on": ...}}, as every result states it. Of
        a user's own pairs, which another operator made, nothing can be chosen: they give the
        default.
    """
    if images.paired:
        return _defaults(names, config, "no images: the training images are pairs")
    chosen = spread_over(images, IMAGES)
    pairs = list(_pairs(chosen, operator, config, noise or config.noise))
    chosen_on = f"{counted(len(chosen), 'training image')} of {images.spec}"
    return {
        name: _best(name, pairs, operator, config, spectrum) | {CHOSEN_ON: chosen_on}
        for name in names
    }


def _best(name, pairs, operator, config, spectrum):
    if name in KERNELS:
        kernel, sigma = KERNELS[name](operator.kernel), config.noise.gaussian_sigma
        return {NAMES[name]: best_balance(pairs, kernel, sigma)}

    def restored_at(measurements, factors):
        for factor in factors:
            yield BASELINES[name](measurements, operator, config, spectrum, factor)

    return {NAMES[name]: best_of(NOISE_FACTORS, restored_at, pairs)}


def _pairs(images, operator, config, noise):
    """Batches of (measurements, images), as an evaluation has them, but of moderate size."""
    pairs = evaluation_pairs(
        images,
        operator,
        noise,
        config.data,
        batch_size=IMAGES,
        seed=config.training.seed,
        largest_side=LARGEST_SIDE,
        skip_unreadable=True,
    )
    return read_pairs(pairs)


def constants_of(
    workdir: Path | None,
    config: Config,
    operator: Operator,
    noise: Callable | None = None,
    names: tuple[str, ...] | None = None,
    spectrum: Spectrum | None = None,
) -> dict[str, dict]:
    """Those that a run keeps, or those that its training images give now.

    Args:
        workdir: of the run; None where its operator or noise are not those that it was trained for.
        config, operator, noise, spectrum: as for `choose_constants`.
        names: of the baselines; by default those of `chosen_for`.

    Returns:
        As `choose_constants`. Where the training images are gone, the defaults, which say so.

    Raises:
        ValueError: what the run keeps was edited, and is none any more.
    """
    names = chosen_for(config, operator) if names is None else names
    path = None if workdir is None else workdir / CONSTANTS_FILE
    kept = {} if path is None or not path.is_file() else _kept(path, names)
    # A run of an earlier version keeps the constant of the Wiener filter alone.
    missing = tuple(name for name in names if name not in kept)
    if not missing:
        return kept
    data = config.data
    try:
        images = open_source(data.train, TRAINING, data.channels, data.minimum_side)
        return kept | choose_constants(config, operator, images, noise, missing, spectrum)
    except (ValueError, OSError) as error:
        logging.warning("Default constants are taken for %s: %s", ", ".join(missing), error)
        reason = f"no images: those of {data.train} cannot be used"
        return kept | _defaults(missing, config, reason)


def _kept(path, names):
    """What a file says of the baselines of these names, and nothing else that may stand there."""
    content = read_json(path)
    kept = {}
    for name in names:
        if name in content:
            constant = NAMES[name]
            check_fields(content, {name: {constant: NUMBER, CHOSEN_ON: str}}, path)
            kept[name] = {key: content[name][key] for key in (constant, CHOSEN_ON)}
            check_range(f"{name}.{constant} in {path}", kept[name][constant], *LIMITS)
    return kept


def keep_constants(workdir, config, operator, images, noise=None, spectrum=None):
    """Chooses and keeps them with a run that has none yet; `constants_of` reads them."""
    names, path = chosen_for(config, operator), workdir / CONSTANTS_FILE
    if names and not path.exists():
        write_json(path, choose_constants(config, operator, images, noise, names, spectrum))


def _defaults(names, config, reason):
    default = {"balance": default_balance(config.noise.gaussian_sigma)}
    default["noise_factor"] = ASSUMED_NOISE
    return {name: {NAMES[name]: default[NAMES[name]], CHOSEN_ON: reason} for name in names}
