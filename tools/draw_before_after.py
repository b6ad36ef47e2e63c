"""Draws the strip of the README: two held-out photographs, blurred, restored and true.

python tools/draw_before_after.py --output=docs/images/before_after.png

Each is blurred by a camera shake, without its border and with noise of 0.005, and stored
in 8 bits; the kernel is then estimated from it and given to the preset.
"""

import numpy as np
from absl import flags
from camera_files import photographed

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.physics.kernels import camera_shake
from inversenet_tf.loading import load
from inversenet_tf.restoration.unknown_blur import UnknownBlurRestorer

OUTPUT = flags.DEFINE_string("output", None, "PNG file to write.", required=True)
PRESET = flags.DEFINE_string("preset", "any_blur", "Model to restore with, as for `load`.")
SIZE, NOISE = 15, 0.005  # side of the kernel in pixels, and the noise, white being 1
CROP = (slice(40, 240), slice(110, 310))
GAP = 6  # white pixels between two pictures


def shaken(image, seed):
    """Returns what a shaken camera stores of an image, and the part of the image that it shows."""
    kernel, generator = camera_shake(SIZE, seed=seed), np.random.default_rng(seed)
    return photographed(image, kernel, NOISE, generator)


def main():
    restorer = UnknownBlurRestorer(load(PRESET.value))
    source = open_source("photos", HELD_OUT)
    pictures = []
    for index in range(len(source)):
        measurement, image = shaken(source.load(index), seed=index + 1)
        for picture in (measurement, restorer(measurement), image):
            pictures.append(np.pad(picture[CROP], ((0, 0), (0, GAP), (0, 0)), constant_values=1.0))
    write_image(OUTPUT.value, np.concatenate(pictures, axis=1)[:, :-GAP])


if __name__ == "__main__":
    run(main)
