"""The free constant of each linear baseline, chosen on training images.

For the Wiener filters it is the weight of the regulariser, for the linear optimum a factor of the
noise. It depends on the operator and the noise, so it is kept with the run and stated in every
result. Images that a result reports have no part in the choice.
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
IMAGES = 16  # on which a constant is chosen, at most
LARGEST_SIDE = 512  # in pixels; of larger whole photographs the middle is taken
KERNELS = {"wiener": lambda kernel: kernel, "wiener_mismatched": mismatched}
# What the constant of each baseline is called.
NAMES = dict.fromkeys(KERNELS, "balance") | {"lmmse": "noise_factor"}
LIMITS = 1e-12, 1e12  # of a constant read from a file: far beyond any that is tried


def chosen_for(config: Config, operator: Operator) -> tuple[str, ...]:
    """Returns the baselines of a config's evaluations whose constants can be chosen beforehand."""
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
    """Chooses the constants with which baselines restore training images best.

    Args:
        config: of the run, with the noise at hand.
        operator: with a single kernel; for a Wiener filter, a blur.
        images: the training images, of which up to `IMAGES` are used, spread over all.
        noise: the caller's own; None for the config's.
        names: of the baselines, keys of `NAMES`.
        spectrum: of the training images, for "lmmse".

    Returns:
        {name: {"balance" or "noise_factor": ..., "chosen_on": ...}}, as every result states it.
        With a user's own pairs, whose operator is another, nothing can be chosen, and the defaults
        are returned.
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
    """Batches of (measurements, images) as in an evaluation, but of moderate size."""
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
    """Returns the constants that a run keeps, and chooses missing ones on its training images.

    Args:
        workdir: of the run; None where operator or noise are not those of its training.
        config, operator, noise, spectrum: as for `choose_constants`.
        names: of the baselines; by default those of `chosen_for`.

    Returns:
        As `choose_constants`; if the training images are gone, the defaults, marked as such.

    Raises:
        ValueError: the kept constants were edited and are no longer valid.
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
        logging.warning("Using default constants for %s: %s", ", ".join(missing), error)
        reason = f"no images: those of {data.train} cannot be used"
        return kept | _defaults(missing, config, reason)


def _kept(path, names):
    """Reads the constants of these baselines from a file and ignores whatever else it holds."""
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
    """Chooses the constants of a run that has none yet, and keeps them for `constants_of`."""
    names, path = chosen_for(config, operator), workdir / CONSTANTS_FILE
    if names and not path.exists():
        write_json(path, choose_constants(config, operator, images, noise, names, spectrum))


def _defaults(names, config, reason):
    default = {"balance": default_balance(config.noise.gaussian_sigma)}
    default["noise_factor"] = ASSUMED_NOISE
    return {name: {NAMES[name]: default[NAMES[name]], CHOSEN_ON: reason} for name in names}
