"""Blind inversion: finds an unknown operator and the images that it measured (Algorithm 1)."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from blind_gan_tf.config import SearchConfig
from blind_gan_tf.forward import FixedOperator, SurrogateBank, check_measures
from blind_gan_tf.inversion_files import save_inversion
from blind_gan_tf.memory import check_search_fits
from blind_gan_tf.prior import Prior
from blind_gan_tf.random_candidates import RenewingSearch, Screening
from blind_gan_tf.search import FrozenPrior, Search
from blind_gan_tf.surrogate import LinearConvolution, MixingNetwork
from inversenet_tf.imaging.arrays import as_floats
from inversenet_tf.imaging.checks import check_at_least

TRIED_SIDE = 48  # pixels of the image by which surrogates of any size are compared


@dataclasses.dataclass
class Inversion:
    """What Algorithm 1 returns.

    Attributes:
        latents: z*, float32 [N, sources, T].
        images: G(z*) in [0, 1], [N, sources, height, width, channels].
        estimates: F-hat(G(z*)), [N, height, width, measured channels].
        residuals: [N], the l1 distance between estimate and measurement, summed over pixels.
        operators: one for each group of measurements: the surrogate, a Keras model from stacked
            images to measurements, or the known operator. The surrogate of a linear convolution has
            a `kernel`.
        start: [groups], the start that the operator comes from; the identity starts come last.
        history: list of dicts, one for each round.
        screening: the history of the screening that chose among the starts, where there was one.
    """

    latents: np.ndarray
    images: np.ndarray
    estimates: np.ndarray
    residuals: np.ndarray
    operators: list
    start: np.ndarray
    history: list
    screening: list

    def save(self, directory: str | Path, names: Sequence[str] | None = None) -> None:
        """Writes the images, the operators and the numbers into a directory.

        Args:
            directory: created if it is missing. It receives `recovered/`, the images as PNG;
                `surrogate/`, each estimated operator as a Keras model; `operator/`, the response of
                each operator to one bright pixel (`.npy`), for a convolution its kernel; and
                `inversion.npz`, the latents, images, estimates and residuals without loss.
            names: of the measurements, used to name the image files; by default numbers.
        """
        save_inversion(self, directory, names)


def invert(
    measurements: np.ndarray,
    prior: Prior | FrozenPrior,
    surrogate: Callable[[int], keras.Model] | keras.Model | Sequence | None = None,
    *,
    operator: Callable | Sequence[Callable] | None = None,
    search: SearchConfig | None = None,
    sources: int = 1,
    group_size: int = 0,
    seed: int = 0,
    on_start: Callable | None = None,
    on_round: Callable | None = None,
) -> Inversion:
    """Algorithm 1: recovers images and their unknown operator from measurements.

    Args:
        measurements: float32 [N, height, width, measured channels].
        prior: a `Prior`, or a `FrozenPrior` of networks from elsewhere.
        surrogate: callable from an int seed to a new Keras model, the surrogate of one start; or
            a built Keras model from whose weights all starts begin, and which is left unchanged (so
            that a surrogate can begin with a kernel that was estimated before); or a sequence of
            these, one for each group of measurements. By default the paper's: a
            `LinearConvolution`, or for several sources a `MixingNetwork`.
        operator: the operator, if it is known: a callable from stacked images [batch, height,
            width, sources * channels] to measurements, or a sequence of them, one for each group.
            It replaces the surrogates, and identity starts become random ones.
        search: length, learning rates and starts of the search; by default `SearchConfig()`, the
            paper's constants. `blind_gan_tf.recipes` has faster ones.
        sources: S, the number of images in one measurement.
        group_size: how many consecutive measurements share one operator; 0: all of them.
        seed: of the initial surrogates and latents; determines the result.
        on_start: callable of (`Search`, stage), called before the first round of a stage, where the
            search may be resumed; returns the history so far. Stages are "screening" and "search".
        on_round: callable of (`Search`, history, stage), called after every round.

    Returns:
        An `Inversion`. For each group of measurements the surrogate of one start is kept, the one
        with the least residual averaged over the group: the group shares one operator, and no
        single measurement may choose another. Under that surrogate, each measurement keeps its best
        latents, from whichever start.

    Raises:
        ValueError: arguments out of their range, or that do not fit each other.
        SearchDiverged: a loss or a residual became NaN or infinite.

    Example:

        import blind_gan_tf as blind

        prior = blind.Prior.load("runs/prior_celeba")
        recipe = blind.recipes.restore_faces()
        result = blind.invert(
            measurements, prior, blind.LinearConvolution(kernel_size=11), search=recipe.search
        )
        result.save("runs/mine")
    """
    measurements = as_floats(np.asarray(measurements), "measurements")
    config = search or SearchConfig()
    config.validate()
    check_at_least("sources", sources, 1)
    check_at_least("group_size", group_size, 0)
    group_size = group_size or len(measurements)
    if operator is not None:
        if surrogate is not None:
            raise ValueError("Expected a surrogate or a known operator. Received: both.")
        config = dataclasses.replace(config, random_starts=config.starts, identity_starts=0)
    check_fit(measurements, prior=prior, config=config, sources=sources, group_size=group_size)
    grouped = measurements.reshape(-1, group_size, *measurements.shape[1:])
    height, width, channels = prior.generator.output_shape[1:]
    if operator is not None:
        forward = known_operators(
            operator,
            groups=len(grouped),
            image_shape=(height, width, sources * channels),
            measured_shape=measurements.shape[1:],
        )
    else:
        surrogate = surrogate or papers_surrogate(
            sources * channels, measurements.shape[-1], sources
        )
        forward = first_surrogates(
            surrogate, config=config, groups=len(grouped), seed=seed, channels=grouped.shape[-1]
        )
    stages = Stages(grouped, FrozenPrior.of(prior), config, sources, seed, on_start, on_round)
    # Identity starts come last among the starts of each group.
    identity = [False] * config.random_starts + [True] * config.identity_starts
    if not config.screening_rounds:
        return search_all(stages, forward, identity)
    return search_the_best(stages, forward, identity)


@dataclasses.dataclass
class Stages:
    """Builds and runs the searches of an inversion, which share these attributes.

    Attributes:
        measurements: [groups, n, height, width, measured channels].
        prior: a `FrozenPrior`.
        config, sources, seed, on_start, on_round: as for `invert`.
    """

    measurements: np.ndarray
    prior: FrozenPrior
    config: SearchConfig
    sources: int
    seed: int
    on_start: Callable | None
    on_round: Callable | None

    def screening(self, forward, identity):
        """Builds the screening, which tells good starts from bad ones."""
        return self._build(Screening, forward, identity, candidates=1)

    def search(self, forward, identity):
        """Builds the search itself."""
        kind = RenewingSearch if self.config.candidates > 1 else Search
        return self._build(kind, forward, identity, self.config.candidates)

    def _build(self, kind, forward, identity, candidates):
        return kind(
            self.measurements,
            self.prior,
            forward,
            self.config,
            sources=self.sources,
            seed=self.seed,
            starts=len(identity),
            candidates=candidates,
            identity=identity,
        )

    def run(self, search, stage, rounds):
        """Runs the remaining rounds of a stage; returns the history of all its rounds."""
        history = self.on_start(search, stage) if self.on_start else []
        while len(history) < rounds and not has_stalled(history, self.config):
            history.append(search.run_round())
            if self.on_round:
                self.on_round(search, history, stage)
        return history


def search_all(stages, forward, identity):
    """Follows all starts to the end."""
    search = stages.search(forward, identity)
    return conclude(search, stages.run(search, "search", stages.config.rounds))


def search_the_best(stages, forward, identity):
    """Screens all starts, and follows each group's survivors to the end."""
    config = stages.config
    screening = stages.screening(forward, identity)
    first = stages.run(screening, "screening", config.screening_rounds)
    chosen = screening.mean_residuals().argsort(1)[:, : config.survivors]
    search = stages.search(forward.kept(chosen), [False] * chosen.shape[1])
    search.begin_with(screening.latents_of(chosen))
    return conclude(search, stages.run(search, "search", config.rounds), first, chosen)


def check_fit(measurements, *, prior, config, sources, group_size):
    """Raises ValueError where the arguments of `invert` do not fit each other."""
    if measurements.ndim != 4 or not len(measurements) or not np.isfinite(measurements).all():
        raise ValueError(
            "Expected finite measurements [N, height, width, channels]. Received: an array of "
            f"shape {measurements.shape}."
        )
    height, width, channels = prior.generator.output_shape[1:]
    if measurements.shape[1:3] != (height, width):
        raise ValueError(
            f"Expected measurements of the prior's size {(height, width)}. Received: "
            f"{measurements.shape[1:3]}."
        )
    if config.identity_starts and measurements.shape[-1] != sources * channels:
        raise ValueError(
            f"Expected measurements of {sources * channels} channels, as many as the images have, "
            f"for identity starts. Received: {measurements.shape[-1]}; set search.identity_starts "
            "to 0."
        )
    if prior.generator.input_shape[-1] != prior.latents.size:
        raise ValueError(
            f"Expected a generator of latents of size {prior.latents.size}. Received: one of "
            f"{prior.generator.input_shape[-1]}."
        )
    if config.perceptual_weight and prior.discriminator is None:
        raise ValueError(
            "Expected a discriminator with search.perceptual_weight above 0. Received: None"
        )
    if len(measurements) % group_size:
        raise ValueError(
            f"Expected a multiple of {group_size} measurements, which share one operator. "
            f"Received: {len(measurements)}."
        )
    check_search_fits(
        config,
        measurements=len(measurements),
        groups=len(measurements) // group_size,
        sources=sources,
        image_shape=(height, width, channels),
    )


def papers_surrogate(image_channels, channels, sources):
    """A callable from a seed to the surrogate that the paper uses for this number of sources."""
    kind = LinearConvolution if sources == 1 else MixingNetwork
    return lambda seed: kind(image_channels, channels, seed=seed)


def known_operators(operator, *, groups, image_shape, measured_shape):
    """The F of a search whose operator is known; raises ValueError if it does not fit."""
    operators = operator if isinstance(operator, Sequence) else [operator]
    if len(operators) not in (1, groups):
        raise ValueError(
            f"Expected one operator, or one for each of {groups} groups. Received: "
            f"{len(operators)}."
        )
    for own in operators:
        check_measures(own, image_shape, measured_shape)
    return FixedOperator(operators)


def first_surrogates(surrogate, *, config, groups, seed, channels):
    """The surrogates of all groups: for each, the random starts and then the identity starts.

    Raises:
        ValueError: another number of surrogates than of groups, one that returns another number of
            channels than the measurements have, or surrogates of several architectures.
    """
    of_groups = surrogate if isinstance(surrogate, Sequence) else [surrogate] * groups
    if len(of_groups) != groups:
        raise ValueError(
            f"Expected one surrogate for each of {groups} groups. Received: {len(of_groups)}"
        )
    seeds = np.random.default_rng(seed).integers(2**31, size=(groups, config.starts))
    models = [
        own if isinstance(own, keras.Model) else own(int(start_seed))
        for own, own_seeds in zip(of_groups, seeds, strict=True)
        for start_seed in own_seeds
    ]
    if models[0].output_shape[-1] != channels:
        raise ValueError(
            f"Expected a surrogate that returns {channels} channels, as the measurements have. "
            f"Received: one that returns {models[0].output_shape[-1]}."
        )
    if len({_shapes_of(model) for model in models}) > 1:
        raise ValueError(
            "Expected surrogates of one architecture. Received: some whose weights differ in shape"
        )
    bank = SurrogateBank(models, config.starts)
    if isinstance(surrogate, Sequence):
        _check_alike(bank, models, config.starts)
    return bank


def _shapes_of(model):
    """The shapes of a surrogate's input and weights, as a value that can be compared."""
    return tuple(tuple(shape) for shape in (model.input_shape, *(w.shape for w in model.weights)))


def _check_alike(bank, models, starts):
    """Raises ValueError unless one architecture, the first model's, measures as all models do."""
    *sides, channels = models[0].input_shape[1:]
    shape = (1, *(side or TRIED_SIDE for side in sides), channels)
    image = tf.random.stateless_uniform(shape, [0, 0])
    for group, own in enumerate(models[::starts]):
        if not np.allclose(bank.model(group, 0)(image), own(image), atol=1e-5):
            raise ValueError(
                "Expected surrogates of one architecture, which differ only in their weights. "
                f"Received: one for group {group} that differs in more, such as its boundary"
            )


def has_stalled(history, config):
    """Whether no start has made progress for `patience` rounds."""
    if not config.patience or len(history) <= config.patience:
        return False
    residuals = np.array([record["residual"] for record in history])  # [rounds, c]
    before = residuals[: -config.patience].min(0)
    lately = residuals[-config.patience :].min(0)
    return bool((lately > before * (1.0 - config.least_progress)).all())


def conclude(search, history, screening=(), survivors=None):
    """Keeps the best surrogate of each group, and each measurement's best latents under it."""
    best = search.mean_residuals().argmin(1)
    outcomes = [search.outcome(group, start) for group, start in enumerate(best)]
    if survivors is not None:  # from places among the survivors to numbers of starts
        best = survivors[np.arange(len(best)), best]
    operators, *rest = zip(*outcomes, strict=True)
    arrays = (np.concatenate(parts) for parts in rest)
    return Inversion(
        *arrays, operators=list(operators), start=best, history=history, screening=list(screening)
    )
