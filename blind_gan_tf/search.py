"""The state of Algorithm 1, and its phases, each compiled as one loop.

A search follows several starts at once. A start is a surrogate together with its own latents for
every measurement; the latents of all starts go through the generator in one batch. Letters in shape
comments:

    c  copies: surrogates, groups x starts               n  measurements in a group
    p  candidates: latents tried for one measurement     s  sources in one measurement
    T  entries of a latent vector                        l  latents in a set of random candidates
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from blind_gan_tf.latents import Latents
from blind_gan_tf.losses import measurement_distance, perceptual_loss
from inversenet_tf.engine.frozen import frozen


class SearchDiverged(FloatingPointError):
    """A loss or a residual is no longer finite."""


@dataclasses.dataclass
class FrozenPrior:
    """The parts of a GAN that a search uses; the GAN may also come from elsewhere.

    Attributes:
        generator: network from latents [batch, T] to images in [-1, 1].
        discriminator: network from such images to one logit each; may be None if alpha is 0.
        latents: a `Latents`.
    """

    generator: keras.Model
    discriminator: keras.Model | None
    latents: Latents

    @classmethod
    def of(cls, prior):
        """Takes the parts of a `Prior`, or of another `FrozenPrior`."""
        return cls(prior.generator, prior.discriminator, prior.latents)


class Search:
    """Algorithm 1, as in the paper.

    Args:
        measurements: [groups, n, height, width, measured channels].
        prior: a `FrozenPrior`.
        forward: `SurrogateBank` of groups x starts surrogates, or `FixedOperator`.
        config: a `SearchConfig`.
        sources: S.
        seed: of the initial latents.
        starts: number of starts of each group.
        candidates: number of latents for each measurement of each start.
        identity: bool [starts], which starts fit their latents to the measurements themselves
            for the first `config.identity_rounds` rounds, as if F were the identity.
    """

    def __init__(
        self, measurements, prior, forward, config, *, sources, seed, starts, candidates, identity
    ):
        groups, per_group = measurements.shape[:2]
        # [c, n, height, width, measured channels]
        self._measurements = tf.repeat(tf.constant(measurements), starts, axis=0)
        self._prior = prior
        self._generator = frozen(prior.generator, differentiable=True)
        if config.perceptual_weight:
            self._discriminator = frozen(prior.discriminator, differentiable=True)
        self._config = config
        self._seed = seed
        self._identity = tf.constant(np.tile(identity, groups))  # [c]
        self._has_identity = any(identity)
        self.forward = forward
        self.starts = starts
        shape = (groups * starts, per_group, candidates, sources)
        self.latents = keras.Variable(prior.latents.draw(shape, [seed, 0]), name="latents")
        self._latent_optimizer = build_adam(
            config.latent_learning_rate, config.latent_steps, config
        )
        self._latent_optimizer.build([self.latents])
        self._surrogate_optimizer = build_adam(
            config.surrogate_learning_rate, config.surrogate_steps, config
        )
        self._surrogate_optimizer.build(list(forward.variables))
        self.round = keras.Variable(0, dtype="int64", trainable=False, name="round")

    @property
    def state(self):
        """The state that a checkpoint holds, by name."""
        surrogates = {f"surrogate_{i}": v for i, v in enumerate(self.forward.variables)}
        return surrogates | {
            "latents": self.latents,
            "latent_optimizer": self._latent_optimizer,
            "surrogate_optimizer": self._surrogate_optimizer,
            "round": self.round,
        }

    def generate(self, latents):
        """G(z) for latents [c, n, p, s, T], with stacked sources and as the generator returns it.

        Returns:
            (images [c, n, p, height, width, s * channels] in [0, 1], the generator's output
            [c * n * p * s, height, width, channels] in [-1, 1]).
        """
        copies, per_group, candidates, sources, size = latents.shape
        signed = self._generator(tf.reshape(latents, [-1, size]))
        height, width, channels = signed.shape[1:]
        leading = [copies, per_group, candidates]
        images = tf.reshape((signed + 1.0) / 2.0, [*leading, sources, height, width, channels])
        images = tf.transpose(images, [0, 1, 2, 4, 5, 3, 6])
        return tf.reshape(images, [*leading, height, width, sources * channels]), signed

    def distances(self, images, measurements=None, forward=None):
        """||F-hat(G(z)) - Y||_1 for [c, n, p, ...] images: [c, n, p].

        Args:
            images: [c, n, p, height, width, s * channels].
            measurements: [c, n, height, width, measured channels]; None for those of the search.
            forward: F-hat of [c, n * p, ...] images; None for that of the search.
        """
        measurements = self._measurements if measurements is None else measurements
        measured = (forward or self.forward)(flat(images))
        measured = tf.reshape(measured, [*images.shape[:3], *measured.shape[2:]])
        return measurement_distance(measured, measurements[:, :, None])

    def latent_distances(self, images, measurements=None, forward=None):
        """Same as `distances`, but with F-hat(x) = x for identity starts in their first rounds."""
        distances = self.distances(images, measurements, forward)
        if not self._has_identity:
            return distances
        measurements = self._measurements if measurements is None else measurements
        direct = measurement_distance(images, measurements[:, :, None])
        early = self._identity & (self.round.value < self._config.identity_rounds)
        return tf.where(early[:, None, None], direct, distances)

    @tf.function
    def residuals(self):
        """The distances of the present latents: [c, n, p]."""
        images, _ = self.generate(tf.convert_to_tensor(self.latents.value))
        return self.distances(images)

    @tf.function
    def train_surrogates(self):
        """T1 steps on the surrogates' weights with the latents fixed; returns the last loss.

        G(z*) stays the same during these steps and is computed only once. Where a measurement has
        several candidates, a surrogate learns from the one that fits best.
        """
        images, _ = self.generate(tf.convert_to_tensor(self.latents.value))
        images = best_candidates(images, self.distances(images))
        measured = self.forward.seeing(flat(images))
        loss = tf.constant(0.0)
        for _ in tf.range(self._config.surrogate_steps):
            loss, gradients = self.surrogate_gradients(images, measured)
            self._surrogate_optimizer.apply(gradients, list(self.forward.variables))
        return loss

    def surrogate_gradients(self, images, measured=None):
        """The loss and its gradients by the stacked weights; L_per does not depend on them.

        Args:
            images: [c, n, 1, height, width, s * channels], one candidate of each measurement.
            measured: what `SurrogateBank.seeing` returned of them, where it is at hand.
        """
        measured = measured or self.forward.seeing(flat(images))
        weights = [variable.value for variable in self.forward.variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(measurement_distance(measured(), self._measurements))
        return loss, tape.gradient(loss, weights)

    @tf.function
    def train_latents(self):
        """T2 projected steps on the latents with the surrogates fixed; returns the last loss."""
        forward = self.forward.now()
        loss = tf.constant(0.0)
        for _ in tf.range(self._config.latent_steps):
            loss, gradient = self.latent_gradient(forward)
            self._latent_optimizer.apply([gradient], [self.latents])
            self.latents.assign(self._prior.latents.project(self.latents.value))
        return loss

    def latent_gradient(self, forward=None):
        """The loss, sum_j ||F-hat(G(z_j)) - Y_j||_1 + alpha L_per, and its gradient by z.

        Args:
            forward: as `SurrogateBank.now` returns it; None for that of the search.
        """
        with tf.GradientTape() as tape:
            images, signed = self.generate(tf.convert_to_tensor(self.latents.value))
            loss = tf.reduce_sum(self.latent_distances(images, forward=forward))
            if self._config.perceptual_weight:
                realism = perceptual_loss(self._discriminator(signed))
                loss += self._config.perceptual_weight * tf.reduce_sum(realism)
        return loss, tape.gradient(loss, self.latents.value)

    def latent_phase(self):
        """Updates the latents in a round; returns the last loss."""
        return self.train_latents()

    def mean_residuals(self):
        """The mean distance of the best candidates over the measurements: [groups, starts]."""
        means = tf.reduce_mean(tf.reduce_min(self.residuals(), 2), 1)
        return means.numpy().reshape(-1, self.starts)

    def run_round(self):
        """Runs one iteration of Algorithm 1's outer loop.

        Returns:
            dict with the last loss of each phase (`surrogate_loss` only where surrogates were
            trained, and `latent_loss`) and `residual`, a list: for every copy the distance between
            estimate and measurement, averaged over its measurements.

        Raises:
            SearchDiverged: a loss or a residual is not finite.
        """
        place = f"of round {int(self.round) + 1}"
        record = {}
        if self.forward.variables and self._config.surrogate_steps:
            record["surrogate_loss"] = finite(self.train_surrogates(), f"surrogate steps {place}")
        record["latent_loss"] = finite(self.latent_phase(), f"latent steps {place}")
        residuals = self.mean_residuals()
        finite(residuals.sum(), f"latent steps {place}")
        self.round.assign_add(1)
        return record | {"residual": residuals.ravel().tolist()}

    def begin_with(self, latents):
        """Sets the first candidate of every measurement: [c, n, s, T]."""
        present = self.latents.numpy()
        present[:, :, 0] = latents
        self.latents.assign(present)

    def latents_of(self, chosen):
        """The best latents of the `chosen` starts, [groups, starts to keep]: [c', n, s, T]."""
        residuals = self.residuals().numpy()
        copies, per_group, _ = np.ogrid[: residuals.shape[0], : residuals.shape[1], :1]
        best = self.latents.numpy()[copies[..., 0], per_group[..., 0], residuals.argmin(2)]
        rows = np.arange(len(chosen))[:, None] * self.starts + chosen
        return best[rows.ravel()]

    def outcome(self, group, start):
        """The surrogate of one start of a group, and each measurement's best latents under it.

        Returns:
            (surrogate, latents [n, s, T], images [n, s, height, width, channels] in [0, 1],
            estimates [n, height, width, measured channels], residuals [n]).
        """
        own = slice(group * self.starts, (group + 1) * self.starts)
        model = self.forward.model(group, start)
        latents = side_by_side(tf.convert_to_tensor(self.latents.value)[own])
        images, signed = self.generate(latents)
        estimates = np.stack([model(tries) for tries in images[0]])  # [n, starts * p, ...]
        residuals = measurement_distance(estimates, self._measurements[own][0][:, None]).numpy()
        best = np.arange(len(residuals)), residuals.argmin(1)
        sources = tf.reshape((signed + 1.0) / 2.0, [*latents.shape[1:4], *signed.shape[1:]])
        tried = (latents[0].numpy(), sources.numpy(), estimates, residuals)
        return model, *(values[best] for values in tried)


def build_adam(rate, steps, config):
    """Adam with a constant rate, or one that falls along a cosine to zero at the last round."""
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, max(1, config.rounds * steps))
    return keras.optimizers.Adam(rate)


def finite(loss, place):
    """The loss as a float; raises SearchDiverged if it is not finite."""
    if not np.isfinite(loss):
        raise SearchDiverged(
            f"The residual became {float(loss)} in the {place}; the state of the previous round "
            "is kept. The same search would fail here again: use a smaller "
            "search.latent_learning_rate or search.surrogate_learning_rate."
        )
    return float(loss)


def side_by_side(latents):
    """[starts, n, p, s, T] -> [1, n, starts * p, s, T]: the candidates of all starts together."""
    starts, per_group, candidates, sources, size = latents.shape
    latents = tf.transpose(latents, [1, 0, 2, 3, 4])
    return tf.reshape(latents, [1, per_group, starts * candidates, sources, size])


def flat(images):
    """[c, n, p, ...] -> [c, n * p, ...]."""
    copies, per_group, candidates = images.shape[:3]
    return tf.reshape(images, [copies, per_group * candidates, *images.shape[3:]])


def best_candidates(images, distances):
    """The candidate of least distance for each measurement: [c, n, p, ...] -> [c, n, 1, ...]."""
    best = tf.argmin(distances, axis=2)[..., None]  # [c, n, 1]
    return tf.gather(images, best, axis=2, batch_dims=2)
