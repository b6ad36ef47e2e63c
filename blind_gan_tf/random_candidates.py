"""Beyond the paper: a search that also tries random samples of the prior.

Gradients do not lead from one digit to another, nor from one face to a very different one: a
start that is far from the truth stays far. A set of random latents, drawn anew for every round,
gets there in one step. Adam keeps its moments when a latent is replaced; they fade in a few steps.
"""

import tensorflow as tf

from blind_gan_tf.search import Search, best_candidates

SWEEPS = 3  # over the sources of redrawn candidates, as the best of one depends on the others


class RandomCandidateSearch(Search):
    """A search that can also replace its latents by random ones."""

    @tf.function
    def search_random_candidates(self):
        """Replaces latents by random candidates wherever these fit better.

        For each source in turn, with the others held fixed, the random candidate that fits the
        measurement best under the present surrogate takes its place if it fits better.
        """
        seed = tf.stack([tf.constant(self._seed, tf.int64), 1 + self.round.value])
        drawn = self._prior.latents.draw((self._config.random_candidates,), seed)  # [l, T]
        shelf, _ = self.generate(drawn[None, None, :, None])
        shelf = shelf[0, 0]  # [l, height, width, channels]
        for source in range(self.latents.shape[3]):
            latents = tf.convert_to_tensor(self.latents.value)
            images, _ = self.generate(latents)
            distances, index = self._best_on_shelf(shelf, images, source)
            better = (distances < self.latent_distances(images))[..., None]
            sources = tf.unstack(latents, axis=3)  # s times [c, n, p, T]
            sources[source] = tf.where(better, tf.gather(drawn, index), sources[source])
            self.latents.assign(tf.stack(sources, axis=3))

    def _best_on_shelf(self, shelf, images, source):
        """The candidates that fit best in place of one source: (distances, indices), [c, n, p]."""
        channels = shelf.shape[-1]
        first = source * channels
        before, after = images[..., :first], images[..., first + channels :]

        def best_for_one(parts):  # [c, p, ...], [c, p, ...], [c, height, width, channels]
            before, after, measurement = parts
            leading = [*before.shape[:2], *shelf.shape[:3]]  # [c, p, l, height, width]
            columns = (before[:, :, None], shelf, after[:, :, None])
            tried = [tf.broadcast_to(part, [*leading, part.shape[-1]]) for part in columns]
            distances = self.latent_distances(tf.concat(tried, axis=-1), measurement[:, None])
            return tf.reduce_min(distances, -1), tf.argmin(distances, -1)

        # One measurement at a time: all at once would take n times the memory.
        by_measurement = [tf.stack(tf.unstack(x, axis=1)) for x in (before, after)]
        best = tf.map_fn(
            best_for_one,
            (*by_measurement, tf.stack(tf.unstack(self._measurements, axis=1))),
            fn_output_signature=(tf.float32, tf.int64),
        )
        return (tf.transpose(values, [1, 0, 2]) for values in best)


class Screening(RandomCandidateSearch):
    """Algorithm 1 with a search through random candidates instead of its latent steps.

    It tells good starts from bad ones in a fraction of the time.
    """

    def latent_phase(self):
        self.search_random_candidates()
        return tf.reduce_sum(self.residuals())


class RenewingSearch(RandomCandidateSearch):
    """Algorithm 1 with several candidates for each measurement.

    At the first round, and every `config.renew_every` rounds after that while at least as many
    rounds remain, all candidates but the best are redrawn and improved by random candidates.
    """

    def latent_phase(self):
        """Same as in `Search`, but with redrawn candidates every `renew_every` rounds."""
        done, every = int(self.round), self._config.renew_every
        # Not so late that new candidates could not converge.
        if done == 0 or (every and done % every == 0 and self._config.rounds - done >= every):
            self.renew_candidates()
            sources = self.latents.shape[3]
            for _ in range(SWEEPS if sources > 1 else 1):
                self.search_random_candidates()
        return self.train_latents()

    @tf.function
    def renew_candidates(self):
        """Redraws all candidates except the best of each measurement, which is put first."""
        latents = tf.convert_to_tensor(self.latents.value)
        images, _ = self.generate(latents)
        best = best_candidates(latents, self.distances(images))
        seed = tf.stack([tf.constant(self._seed, tf.int64), -1 - self.round.value])
        copies, per_group, candidates, sources = latents.shape[:4]
        others = self._prior.latents.draw((copies, per_group, candidates - 1, sources), seed)
        self.latents.assign(tf.concat([best, others], axis=2))
