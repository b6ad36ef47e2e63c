"""Blind inversion, Algorithm 1: an unknown operator and the images behind its measurements.

The search follows several starts at once. A start is a surrogate with latents of its own for every
measurement; all starts go through the generator in one batch. A group of measurements shares one
operator, and so one surrogate of each start. Letters in shape comments:

    c  copies: a surrogate each, groups x starts         n  measurements in a group
    p  candidates: latents tried for one measurement     s  sources in one measurement
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from blind_gan_tf.latents import Latents
from blind_gan_tf.losses import measurement_distance, perceptual_loss
from blind_gan_tf.surrogate import SurrogateBank


class InversionDiverged(FloatingPointError):
    """The residual is no longer a number."""


@dataclasses.dataclass
class Inversion:
    """What Algorithm 1 returns.

    Attributes:
        latents: z*, float32 [N, sources, T].
        images: G(z*) in [0, 1], [N, sources, height, width, channels].
        estimates: F-hat(G(z*)), [N, height, width, measured channels].
        residuals: [N], the l1 distance between estimate and measurement, summed over pixels.
        surrogates: one Keras model for each group of measurements.
        start: [groups], which start the surrogate is of.
        history: list of dicts, one a round.
    """

    latents: np.ndarray
    images: np.ndarray
    estimates: np.ndarray
    residuals: np.ndarray
    surrogates: list
    start: np.ndarray
    history: list


class FixedOperator:
    """A known F in the place of the surrogates: nothing of it is trained.

    Args:
        operators: callables from stacked images [batch, height, width, s * channels] to
            measurements: one for each group of measurements, or a single one for all.
    """

    variables = ()

    def __init__(self, operators):
        self._operators = list(operators)

    def __call__(self, images):  # [c, batch, height, width, s * channels]
        measured = []
        # The copies of a group, its starts, stand side by side.
        parts = tf.split(images, len(self._operators))
        for operator, part in zip(self._operators, parts, strict=True):
            flat = operator(tf.reshape(part, [-1, *part.shape[2:]]))
            measured.append(tf.reshape(flat, [*part.shape[:2], *flat.shape[1:]]))
        return tf.concat(measured, axis=0)

    def model(self, group, start):
        """The operator of a group, whichever start asks for it."""
        return self._operators[group % len(self._operators)]


class Search:
    """The state of Algorithm 1, and its two phases.

    Args:
        measurements: [groups, n, height, width, measured channels].
        generator: frozen network from latents [batch, T] to images in [-1, 1].
        discriminator: frozen network from those to one logit each; None where alpha is 0.
        forward: `SurrogateBank` of groups x starts surrogates, or `FixedOperator`.
        config: a `SearchConfig`.
        latents: a `Latents`.
        sources: S.
        seed: of the first latents.
    """

    def __init__(self, measurements, generator, discriminator, forward, config, latents, sources,
                 seed):  # fmt: skip
        groups, per_group = measurements.shape[:2]
        self.measurements = tf.repeat(
            tf.convert_to_tensor(measurements, tf.float32), config.starts, axis=0
        )  # [c, n, height, width, measured channels]
        self._generator = generator
        self._discriminator = discriminator
        self._forward = forward
        self._config = config
        self._prior_latents = latents
        self._seed = seed
        shape = (groups * config.starts, per_group, config.candidates, sources)
        self.latents = keras.Variable(latents.draw(shape, [seed, 0]), name="latents")
        rate = config.latent_rate
        if config.latent_schedule == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(rate, config.rounds * config.latent_steps)
        self._latent_optimizer = keras.optimizers.Adam(rate)
        self._latent_optimizer.build([self.latents])
        self._surrogate_optimizer = keras.optimizers.Adam(config.surrogate_rate)
        self._surrogate_optimizer.build(list(forward.variables))
        # Identity starts come last among the starts of each group.
        waits = [False] * config.random_starts + [True] * config.identity_starts
        self._waits = tf.constant(np.tile(waits, groups))  # [c]
        self.round = keras.Variable(0, dtype="int64", trainable=False, name="round")

    @property
    def state(self):
        """What a checkpoint holds, by name."""
        surrogates = {f"surrogate_{i}": v for i, v in enumerate(self._forward.variables)}
        return surrogates | {
            "latents": self.latents,
            "latent_optimizer": self._latent_optimizer,
            "surrogate_optimizer": self._surrogate_optimizer,
            "round": self.round,
        }

    def generate(self, latents):
        """G(z) for [c, n, p, s, T], sources stacked as channels, and the generator's own output.

        Returns:
            ([c, n, p, height, width, s * channels] in [0, 1], [c * n * p * s, height, width,
            channels] in [-1, 1]).
        """
        copies, per_group, candidates, sources, size = latents.shape
        signed = self._generator(tf.reshape(latents, [-1, size]), training=False)
        height, width, channels = signed.shape[1:]
        leading = [copies, per_group, candidates]
        images = tf.reshape((signed + 1.0) / 2.0, [*leading, sources, height, width, channels])
        images = tf.transpose(images, [0, 1, 2, 4, 5, 3, 6])
        return tf.reshape(images, [*leading, height, width, sources * channels]), signed

    def measure(self, images):
        """F-hat of [c, n, p, height, width, s * channels]."""
        copies, per_group, candidates = images.shape[:3]
        flat = tf.reshape(images, [copies, per_group * candidates, *images.shape[3:]])
        measured = self._forward(flat)
        return tf.reshape(measured, [copies, per_group, candidates, *measured.shape[2:]])

    def distances(self, images):
        """||F-hat(G(z)) - Y||_1 for [c, n, p, ...] images: [c, n, p]."""
        return measurement_distance(self.measure(images), self.measurements[:, :, None])

    @tf.function
    def residuals(self):
        """The distances of the present latents: [c, n, p]."""
        images, _ = self.generate(tf.convert_to_tensor(self.latents.value))
        return self.distances(images)

    @tf.function
    def train_surrogates(self):
        """T1 steps on the surrogates' weights with the latents fixed; returns the last loss.

        G(z*) does not change meanwhile, and is computed once. Of several candidates a surrogate
        learns from the one that fits its measurement best.
        """
        images, _ = self.generate(tf.convert_to_tensor(self.latents.value))
        images = best_candidates(images, self.distances(images))
        waiting = self._waits & (self.round.value < self._config.identity_rounds)
        loss = tf.constant(0.0)
        for _ in tf.range(self._config.surrogate_steps):
            with tf.GradientTape() as tape:
                tape.watch([v.value for v in self._forward.variables])
                loss = tf.reduce_sum(self.distances(images))
            gradients = tape.gradient(loss, [v.value for v in self._forward.variables])
            gradients = [held_back(gradient, waiting) for gradient in gradients]
            self._surrogate_optimizer.apply(gradients, list(self._forward.variables))
        return loss

    @tf.function
    def train_latents(self):
        """T2 projected steps on the latents with the surrogates fixed; returns the last loss."""
        loss = tf.constant(0.0)
        for _ in tf.range(self._config.latent_steps):
            with tf.GradientTape() as tape:
                images, signed = self.generate(tf.convert_to_tensor(self.latents.value))
                loss = tf.reduce_sum(self.distances(images))
                if self._config.perceptual_weight:
                    realism = perceptual_loss(self._discriminator(signed, training=False))
                    loss += self._config.perceptual_weight * tf.reduce_sum(realism)
            gradient = tape.gradient(loss, self.latents.value)
            self._latent_optimizer.apply([gradient], [self.latents])
            self.latents.assign(self._prior_latents.project(self.latents.value))
        return loss

    @tf.function
    def search_library(self):
        """Puts random latents in the place of present ones wherever they fit better.

        Not in the paper. Gradients do not lead from one digit to another, nor from one face to a
        very different one: a start far from the truth stays far. So a library of latents is drawn
        anew, and for each source in turn, with the others as they are, the one that fits the
        measurement best under the present surrogate takes its place.
        """
        seed = tf.stack([tf.constant(self._seed, tf.int64), 1 + self.round.value])
        library = self._prior_latents.draw((self._config.library,), seed)  # [l, T]
        shelf, _ = self.generate(library[None, None, :, None])
        shelf = shelf[0, 0]  # [l, height, width, channels]
        for source in range(self.latents.shape[3]):
            latents = tf.convert_to_tensor(self.latents.value)
            images, _ = self.generate(latents)
            before, _, after = split_source(images, source, shelf.shape[-1])
            best, index = tf.map_fn(
                lambda parts: self._best_on_shelf(shelf, *parts),
                [tf.experimental.numpy.moveaxis(x, 1, 0)
                 for x in (before, after, self.measurements)],
                fn_output_signature=(tf.float32, tf.int64),
            )  # fmt: skip  # [n, c, p] each
            best, index = (tf.transpose(x, [1, 0, 2]) for x in (best, index))
            better = (best < self.distances(images))[..., None]
            replaced = tf.where(better, tf.gather(library, index), latents[:, :, :, source])
            kept = tf.unstack(latents, axis=3)
            kept[source] = replaced
            self.latents.assign(tf.stack(kept, axis=3))

    def _best_on_shelf(self, shelf, before, after, measurement):
        """(distance, index) of the best image on the shelf for one measurement: [c, p] each."""
        copies, candidates, height, width = before.shape[:4]
        count = len(shelf)
        leading = [copies, candidates, count, height, width]
        tried = tf.concat(
            [
                tf.broadcast_to(part, [*leading, part.shape[-1]])
                for part in (before[:, :, None], shelf, after[:, :, None])
            ],
            axis=-1,
        )
        measured = self._forward(
            tf.reshape(tried, [copies, candidates * count, height, width, tried.shape[-1]])
        )
        distances = measurement_distance(measured, measurement[:, None])
        distances = tf.reshape(distances, [copies, candidates, count])
        return tf.reduce_min(distances, -1), tf.argmin(distances, -1)

    def run_round(self):
        """One turn of Algorithm 1's outer loop; returns its record.

        Raises:
            InversionDiverged: the residual is not finite.
        """
        losses = {}
        if self._forward.variables and self._config.surrogate_steps:
            losses["surrogate_loss"] = float(self.train_surrogates())
        if int(self.round) < self._config.library_rounds:
            self.search_library()
        else:
            losses["latent_loss"] = float(self.train_latents())
        residuals = self.residuals().numpy()
        self.round.assign_add(1)
        if not np.isfinite(residuals).all():
            raise InversionDiverged(f"The residual is not finite after round {int(self.round)}.")
        return losses | {"residual": residuals.min(2).mean(1).tolist()}

    @property
    def starts(self):
        """Copies of each group."""
        return self._config.starts

    def examples(self, copy, count):
        """The first `count` measurements' images and estimates by one copy, best candidates.

        Returns:
            ([count, s, height, width, channels] in [0, 1], [count, height, width, measured
            channels]).
        """
        latents = tf.convert_to_tensor(self.latents.value)[:, :count]
        images, signed = self.generate(latents)
        estimates = self.measure(images)[copy].numpy()
        distances = measurement_distance(estimates, self.measurements[copy, :count, None])
        best = np.arange(len(estimates)), distances.numpy().argmin(1)
        sources = tf.reshape(signed, [*latents.shape[:4], *signed.shape[1:]])[copy].numpy()
        return (sources[best] + 1.0) / 2.0, estimates[best]

    def best_of_group(self, group, start):
        """The surrogate of a group's start and, under it, each measurement's best latents.

        Returns:
            (surrogate, latents [n, s, T], images [n, s, height, width, channels], estimates
            [n, height, width, measured channels], residuals [n]).
        """
        starts = self._config.starts
        own = slice(group * starts, (group + 1) * starts)
        model = self._forward.model(group, start)
        latents = beside_candidates(tf.convert_to_tensor(self.latents.value)[own])
        images, signed = self.generate(latents)
        estimates = np.stack([model(tries) for tries in images[0]])  # [n, starts * p, ...]
        residuals = measurement_distance(estimates, self.measurements[own][0][:, None]).numpy()
        best = np.arange(len(residuals)), residuals.argmin(1)
        sources = tf.reshape(signed, [*latents.shape[1:4], *signed.shape[1:]])
        return (
            model,
            latents[0].numpy()[best],
            (sources.numpy()[best] + 1.0) / 2.0,
            estimates[best],
            residuals[best],
        )


def beside_candidates(latents):
    """[starts, n, p, s, T] -> [1, n, starts * p, s, T]: what every start found, side by side."""
    starts, per_group, candidates, sources, size = latents.shape
    latents = tf.transpose(latents, [1, 0, 2, 3, 4])
    return tf.reshape(latents, [1, per_group, starts * candidates, sources, size])


def split_source(images, source, channels):
    """Stacked images in three parts: the sources before, the source itself, those after it."""
    first = source * channels
    return images[..., :first], images[..., first : first + channels], images[..., first + channels :]


def best_candidates(images, distances):
    """Of [c, n, p, ...] images the one of least distance: [c, n, 1, ...]."""
    best = tf.argmin(distances, axis=2)[..., None]  # [c, n, 1]
    return tf.gather(images, best, axis=2, batch_dims=2)


def held_back(gradient, waiting):
    """A stacked gradient, zero where a surrogate waits; Adam then leaves it where it is."""
    mask = tf.reshape(waiting, [-1] + [1] * (len(gradient.shape) - 1))
    return tf.where(mask, 0.0, gradient)


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
            a `FixedOperator` where the operator is known.
        config: a `SearchConfig`.
        latents: a `Latents`, by default U(-1, 1)^T.
        sources: S, images behind one measurement.
        group_size: how many consecutive measurements share one operator; 0: all of them.
        seed: of the surrogates' and the latents' first values; fixes the result.
        on_start: callable of the `Search`, before the first round: a place to resume from.
        on_round: callable of (`Search`, history) after every round.

    Returns:
        An `Inversion`. Of several starts the surrogate is kept for each group of measurements, the
        one whose residual, mean over the group, is least: the operator is the group's, and no
        single measurement may choose another. Under that surrogate, the latents are kept for each
        measurement, whichever start or candidate found them.

    Raises:
        ValueError: shapes that do not fit each other.
        InversionDiverged: the residual became NaN.
    """
    measurements = np.asarray(measurements, np.float32)
    latents = latents or Latents(generator.input_shape[-1])
    group_size = group_size or len(measurements)
    check_fit(measurements, generator, latents, group_size)
    groups = len(measurements) // group_size
    grouped = measurements.reshape(groups, group_size, *measurements.shape[1:])
    forward = surrogate
    if not isinstance(surrogate, FixedOperator):
        forward = first_surrogates(surrogate, config, groups, seed)
    search = Search(grouped, generator, discriminator, forward, config, latents, sources, seed)
    history = on_start(search) or [] if on_start else []
    while len(history) < config.rounds and not has_stalled(history, config):
        history.append(search.run_round())
        if on_round:
            on_round(search, history)
    return conclude(search, history, groups)


def check_fit(measurements, generator, latents, group_size):
    """Raises ValueError where measurements, generator and latents do not fit each other."""
    if measurements.ndim != 4 or not np.isfinite(measurements).all():
        raise ValueError(
            "Expected finite measurements [N, height, width, channels]. Received: an array of "
            f"shape {measurements.shape}."
        )
    if measurements.shape[1:3] != tuple(generator.output_shape[1:3]):
        raise ValueError(
            f"Expected measurements of the prior's size {generator.output_shape[1:3]}. Received: "
            f"{measurements.shape[1:3]}."
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


def first_surrogates(surrogate, config, groups, seed):
    """The bank of all groups' surrogates: of each group the random starts, then the identities."""
    seeds = np.random.default_rng(seed).integers(2**31, size=groups * config.starts)
    models = [surrogate(int(model_seed)) for model_seed in seeds]
    for index, model in enumerate(models):
        if index % config.starts >= config.random_starts:
            model.start_as_identity()
    return SurrogateBank(models, config.starts)


def has_stalled(history, config):
    """Whether no start has made progress for `patience` rounds."""
    if not config.patience or len(history) <= config.patience:
        return False
    residuals = np.array([record["residual"] for record in history])  # [rounds, c]
    before = residuals[: -config.patience].min(0)
    lately = residuals[-config.patience :].min(0)
    return bool((lately > before * (1.0 - config.least_progress)).all())


def conclude(search, history, groups):
    """Keeps of each group the best surrogate, and of each measurement the best latents under it."""
    means = search.residuals().numpy().min(2).mean(1).reshape(groups, -1)  # [groups, starts]
    chosen = means.argmin(1)
    found = [search.best_of_group(group, start) for group, start in enumerate(chosen)]
    surrogates = [model for model, *_ in found]
    latents, images, estimates, residuals = (
        np.concatenate(parts) for parts in list(zip(*found, strict=True))[1:]
    )
    return Inversion(latents, images, estimates, residuals, surrogates, chosen, history)
