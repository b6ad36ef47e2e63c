"""Blind inversion: an unknown operator and the images behind its measurements (Algorithm 1)."""

import dataclasses

import keras
import numpy as np

from blind_gan_tf.forward import FixedOperator, SurrogateBank
from blind_gan_tf.latents import Latents
from blind_gan_tf.random_candidates import RenewingSearch, Screening
from blind_gan_tf.search import FrozenPrior, Search
from inversenet_tf.imaging.arrays import as_floats


@dataclasses.dataclass
class Inversion:
    """What Algorithm 1 returns.

    Attributes:
        latents: z*, float32 [N, sources, T].
        images: G(z*) in [0, 1], [N, sources, height, width, channels].
        estimates: F-hat(G(z*)), [N, height, width, measured channels].
        residuals: [N], the l1 distance between estimate and measurement, summed over pixels.
        surrogates: one Keras model for each group of measurements.
        start: [groups], which start the surrogate is of; the identity starts come last.
        history: list of dicts, one a round.
        screening: the same of the screening that chose among the starts, where there was one.
    """

    latents: np.ndarray
    images: np.ndarray
    estimates: np.ndarray
    residuals: np.ndarray
    surrogates: list
    start: np.ndarray
    history: list
    screening: list


def invert(
    measurements,
    generator,
    discriminator,
    surrogate,
    config,
    *,
    latents=None,
    sources=1,
    group_size=0,
    seed=0,
    on_start=None,
    on_round=None,
):
    """Algorithm 1: recovers images, and the operator they were measured with, from measurements.

    Args:
        measurements: float32 [N, height, width, measured channels].
        generator: frozen network from latents [batch, T] to images in [-1, 1].
        discriminator: frozen network from such images to one logit each; None where
            `config.perceptual_weight` is 0.
        surrogate: callable from an int seed to a new Keras model, the surrogate of one start; or
            a built Keras model, with whose weights all starts begin and which is left as it is;
            or a `FixedOperator` where the operator is known.
        config: a `SearchConfig`.
        latents: a `Latents`, by default U(-1, 1)^T.
        sources: S, images behind one measurement.
        group_size: how many consecutive measurements share one operator; 0: all of them.
        seed: of the surrogates' and the latents' first values; fixes the result.
        on_start: callable of (`Search`, stage), before the first round of a stage: a place to
            resume from; returns the history so far. Stages are "screening" and "search".
        on_round: callable of (`Search`, history, stage) after every round.

    Returns:
        An `Inversion`. Of several starts the surrogate is kept for each group of measurements, the
        one whose residual, mean over the group, is least: the operator is the group's, and no
        single measurement may choose another. Under that surrogate, the latents are kept for each
        measurement, whichever start or candidate found them.

    Raises:
        ValueError: shapes that do not fit each other.
        SearchDiverged: the residual became NaN.
    """
    config.validate()
    measurements = as_floats(np.asarray(measurements), "measurements")
    latents = latents or Latents(generator.input_shape[-1])
    group_size = group_size or len(measurements)
    check_fit(measurements, generator, latents, config, sources, group_size)
    groups = len(measurements) // group_size
    grouped = measurements.reshape(groups, group_size, *measurements.shape[1:])
    prior = FrozenPrior(generator, discriminator, latents)
    if config.perceptual_weight and discriminator is None:
        raise ValueError(
            "Expected a discriminator with search.perceptual_weight above 0. Received: None"
        )
    forward = surrogate
    if not isinstance(surrogate, FixedOperator):
        forward = first_surrogates(surrogate, config, groups, seed, measurements.shape[-1])

    def build(kind, forward, identity, candidates):
        return kind(
            grouped,
            prior,
            forward,
            config,
            sources=sources,
            seed=seed,
            starts=len(identity),
            candidates=candidates,
            identity=identity,
        )

    def run(search, stage, rounds):
        history = on_start(search, stage) if on_start else []
        while len(history) < rounds and not has_stalled(history, config):
            history.append(search.run_round())
            if on_round:
                on_round(search, history, stage)
        return history

    # Identity starts come last among the starts of each group.
    identity = [False] * config.random_starts + [True] * config.identity_starts
    kind = RenewingSearch if config.candidates > 1 else Search
    if not config.screening_rounds:
        search = build(kind, forward, identity, config.candidates)
        return conclude(search, run(search, "search", config.rounds))
    screening = build(Screening, forward, identity, candidates=1)
    first = run(screening, "screening", config.screening_rounds)
    chosen = screening.mean_residuals().argsort(1)[:, : config.survivors]
    search = build(kind, forward.kept(chosen), [False] * chosen.shape[1], config.candidates)
    search.begin_with(screening.latents_of(chosen))
    return conclude(search, run(search, "search", config.rounds), first, chosen)


def check_fit(measurements, generator, latents, config, sources, group_size):
    """Raises ValueError where the arguments of `invert` do not fit each other."""
    if measurements.ndim != 4 or not len(measurements) or not np.isfinite(measurements).all():
        raise ValueError(
            "Expected finite measurements [N, height, width, channels]. Received: an array of "
            f"shape {measurements.shape}."
        )
    height, width, channels = generator.output_shape[1:]
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
    if generator.input_shape[-1] != latents.size:
        raise ValueError(
            f"Expected a generator of latents of size {latents.size}. Received: one of "
            f"{generator.input_shape[-1]}."
        )
    if len(measurements) % group_size:
        raise ValueError(
            f"Expected a multiple of {group_size} measurements, which share one operator. "
            f"Received: {len(measurements)}."
        )


def first_surrogates(surrogate, config, groups, seed, channels):
    """The bank of all groups' surrogates: of each group the random starts, then the identities."""
    seeds = np.random.default_rng(seed).integers(2**31, size=groups * config.starts)
    if isinstance(surrogate, keras.Model):
        models = [surrogate] * len(seeds)
    else:
        models = [surrogate(int(model_seed)) for model_seed in seeds]
    if models[0].output_shape[-1] != channels:
        raise ValueError(
            f"Expected a surrogate that returns {channels} channels, as the measurements have. "
            f"Received: one that returns {models[0].output_shape[-1]}."
        )
    return SurrogateBank(models, config.starts)


def has_stalled(history, config):
    """Whether no start has made progress for `patience` rounds."""
    if not config.patience or len(history) <= config.patience:
        return False
    residuals = np.array([record["residual"] for record in history])  # [rounds, c]
    before = residuals[: -config.patience].min(0)
    lately = residuals[-config.patience :].min(0)
    return bool((lately > before * (1.0 - config.least_progress)).all())


def conclude(search, history, screening=(), survivors=None):
    """Keeps of each group the best surrogate, and of each measurement the best latents under it."""
    best = search.mean_residuals().argmin(1)
    found = [search.outcome(group, start) for group, start in enumerate(best)]
    if survivors is not None:  # a place among them -> the start it was
        best = survivors[np.arange(len(best)), best]
    surrogates, *rest = zip(*found, strict=True)
    arrays = (np.concatenate(parts) for parts in rest)
    return Inversion(
        *arrays, surrogates=list(surrogates), start=best, history=history, screening=list(screening)
    )
