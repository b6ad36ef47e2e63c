"""The distribution of a prior's latent vectors, and the set that a search is confined to."""

import dataclasses

import tensorflow as tf

from inversenet_tf.imaging.checks import check_at_least, check_choice

DISTRIBUTIONS = ("uniform", "normal")
NORMAL_BOUND = 3.0  # standard deviations


@dataclasses.dataclass(slots=True)
class Latents:
    """U(-1, 1)^size, as in the papers, or N(0, 1)^size for generators that were trained on it."""

    size: int = 100  # T
    distribution: str = "uniform"

    def validate(self):
        """Raises ValueError for a value outside its range."""
        check_at_least("latents.size", self.size, 1)
        check_choice("latents.distribution", self.distribution, DISTRIBUTIONS)

    @property
    def bound(self):
        """The largest absolute value that a latent may have in a search."""
        return 1.0 if self.distribution == "uniform" else NORMAL_BOUND

    def draw(self, shape: tuple, seed) -> tf.Tensor:
        """Draws latents [*shape, size], determined by `seed`, an int tensor of shape [2]."""
        shape = (*shape, self.size)
        if self.distribution == "uniform":
            return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
        return tf.random.stateless_normal(shape, seed)

    def project(self, latents: tf.Tensor) -> tf.Tensor:
        """P of Algorithm 1: clips to [-1, 1], or normal latents to three standard deviations."""
        return tf.clip_by_value(latents, -self.bound, self.bound)
