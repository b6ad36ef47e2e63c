"""Example photographs from scikit-image, blurred when the page starts."""

import dataclasses
from pathlib import Path

import numpy as np

from inversenet_tf.imaging.data.datasets import open_source
from inversenet_tf.imaging.data.sources import HELD_OUT, TRAINING
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.physics import kernels
from inversenet_tf.imaging.physics.noise import add_gaussian_noise, round_to_8_bits
from inversenet_tf.imaging.physics.operators import within_frame


@dataclasses.dataclass(frozen=True)
class Example:
    """A photograph, with or without a blur.

    Attributes:
        part: of the data set that holds the photograph.
        name: of the photograph in it.
        words: what was done to it.
        kernel: [height, width], or None to leave it sharp.
        noise: standard deviation, with white as 1.
    """

    part: str
    name: str
    words: str
    kernel: np.ndarray | None = None
    noise: float = 0.0


def examples() -> list[Example]:
    """Returns examples of several kinds of blur, and a sharp one."""
    return [
        Example(HELD_OUT, "chelsea", "camera shake", kernels.camera_shake(15, seed=4)),
        Example(HELD_OUT, "coffee", "out of focus", kernels.disk(9, 3.5), 0.002),
        Example(TRAINING, "astronaut", "motion, noise", kernels.linear_motion(13, 30.0), 0.01),
        Example(TRAINING, "rocket", "sharp"),
    ]


def write_examples(folder: Path) -> list[tuple[Path, str]]:
    """Writes the examples as PNG files.

    Args:
        folder: an existing one.

    Returns:
        List of (file, words).
    """
    written = []
    for number, example in enumerate(examples()):
        photographs = open_source("photos", example.part)
        image = photographs.load(photographs.names.index(example.name))
        path = Path(folder) / f"{example.name}.png"
        write_image(path, measured(image, example, seed=number))
        written.append((path, example.words))
    return written


def measured(image: np.ndarray, example: Example, seed: int) -> np.ndarray:
    """Simulates a camera: blurs, crops the border that depends on what lies beyond, adds noise.

    Args:
        image: [height, width, channels] in [0, 1].
        example: its kernel and noise are applied.
        seed: for the noise.
    """
    if example.kernel is not None:
        image, _ = within_frame(example.kernel, image)
    noisy = add_gaussian_noise(image, example.noise, (seed, 0))
    return np.asarray(round_to_8_bits(noisy))
