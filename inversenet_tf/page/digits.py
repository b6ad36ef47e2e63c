"""Blind separation of mixtures of handwritten digits: Section 3.2 of the second paper."""

import dataclasses

import numpy as np

import blind_gan_tf as blind
from inversenet_tf.imaging.data.datasets import open_source
from inversenet_tf.imaging.data.sources import HELD_OUT
from inversenet_tf.imaging.files.grids import image_grid
from inversenet_tf.imaging.metrics import MetricProfile, matched_to_sources, psnr
from inversenet_tf.page.limits import Progress, Told

SOURCES = 3
ENLARGED = 3  # times, for the pictures on the page
ROUNDS = 24  # of the search


@dataclasses.dataclass(frozen=True)
class Separation:
    """The result of a separation.

    Attributes:
        mixtures, recovered, truth: pictures with a row for each set: [height, width] in [0, 1].
        words: how close the recovered digits are to the true ones.
    """

    mixtures: np.ndarray
    recovered: np.ndarray
    truth: np.ndarray
    words: str


class Separator:
    """Mixes held-out digits, which no prior has seen, and separates the mixtures.

    Args:
        prior: directory or file of a `blind_gan_tf.Prior` of digits.

    Raises:
        ValueError: there is no prior, or it is not one of gray images.
    """

    def __init__(self, prior: str):
        self._prior = blind.Prior.load(prior)
        if self._prior.image_shape[-1] != 1:
            raise ValueError(
                f"Expected a prior of gray images. Received: one of {self._prior.image_shape}"
            )
        self._digits = open_source("digits", HELD_OUT, channels=1)

    def separate(
        self,
        sets: int,
        mixtures: int,
        seed: int,
        progress: Progress,
        search: blind.SearchConfig | None = None,
    ) -> Separation:
        """Mixes sets of three digits with unknown weights, and separates them.

        Args:
            sets: number of sets; all are mixed with the same weights, which helps the search.
            mixtures: number of mixtures of each set.
            seed: for the choice of digits, the weights and the search.
            progress: called in every round.
            search: settings of the search; None for the experiments' recipe with `ROUNDS` rounds.

        Raises:
            Told: more sets than there are digits for, or none.
            Cancelled: by `progress`.
        """
        if not 1 <= sets <= len(self._digits) // SOURCES:
            raise Told(f"Expected 1 to {len(self._digits) // SOURCES} sets. Received: {sets}.")
        progress(0.0, "Mixing")
        generator = np.random.default_rng(seed)
        sources = self._draw(sets, generator)
        weights = generator.normal(-0.5, 0.5, (SOURCES, mixtures))
        mixed = blind.Mixing(weights)(np.moveaxis(sources[..., 0], 1, -1)).numpy()
        if search is None:
            search = blind.recipes.separate_digits(mixtures).search
            search.rounds = ROUNDS
        total = search.rounds + search.screening_rounds

        def on_round(_, history, stage):
            before = 0 if stage == "screening" else search.screening_rounds
            progress((before + len(history)) / total, "Separating")

        result = blind.invert(
            mixed, self._prior, search=search, sources=SOURCES, seed=seed, on_round=on_round
        )
        recovered, truth = matched_to_sources(result.images, sources, MetricProfile())
        return _drawn(mixed, recovered, truth)

    def _draw(self, sets, generator):
        """Draws digits without repetition: [sets, SOURCES, height, width, 1] in [0, 1]."""
        chosen = generator.choice(len(self._digits), sets * SOURCES, replace=False)
        digits = np.stack([self._digits.load(int(index)) for index in chosen])
        return digits.reshape(sets, SOURCES, *digits.shape[1:])


def _drawn(mixed, recovered, truth):
    shown = np.moveaxis(mixed / mixed.max((1, 2), keepdims=True), -1, 1)[..., np.newaxis]
    flat = [images.reshape(-1, *images.shape[2:]) for images in (recovered, truth)]
    score = float(np.mean(psnr(*flat)))
    return Separation(
        *(_grid(images) for images in (shown, recovered, truth)),
        words=(
            f"Recovered digits against the true ones: {score:.1f} dB, with the best-fitting order, "
            "sign and intensity, which no method can determine."
        ),
    )


def _grid(images):
    """[sets, number, height, width, 1] as one picture with a row for each set."""
    columns = [images[:, index] for index in range(images.shape[1])]
    grid = image_grid(columns)[..., 0]
    return np.clip(grid.repeat(ENLARGED, 0).repeat(ENLARGED, 1), 0.0, 1.0)
