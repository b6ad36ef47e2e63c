"""Draws the strip of the README: crops of the held-out photographs, blurred, restored and true.

python tools/draw_before_after.py --workdir=runs/demo --output=docs/images/before_after.png
"""

import numpy as np
from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.data import open_held_out
from inversenet_tf.imaging.data.pairs import evaluation_pairs
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.restoration.restorers import ModelRestorer
from inversenet_tf.trained_run import kept_operator, load_trained

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "The PNG file.", required=True)
CROP = (slice(40, 240), slice(110, 310))
GAP = 6  # white pixels between two pictures


def main():
    model, config, _ = load_trained(WORKDIR.value)
    restorer, operator = ModelRestorer(model), kept_operator(WORKDIR.value, config)
    source = open_held_out(config.data.validation, operator, config)
    pairs = evaluation_pairs(
        source, operator, config.noise, config.data, batch_size=1, seed=config.training.seed
    )
    rows = []
    for measurements, images in pairs.as_numpy_iterator():
        for image in (measurements, restorer(measurements), images):
            rows.append(np.pad(image[0][CROP], ((0, 0), (0, GAP), (0, 0)), constant_values=1.0))
    write_image(OUTPUT.value, np.concatenate(rows, axis=1)[:, :-GAP])


if __name__ == "__main__":
    run(main)
