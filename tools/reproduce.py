"""Reproduces a table of the InverseNet paper, training only what is missing.

inversenet reproduce --table=1 --data=cub,celeba,tiny_imagenet --root=images \\
    --budget_minutes=30 --output=runs/reproduce
inversenet reproduce --table=1 --data=celeba --noise=0.01 ...

Tables: 1 (motion deblurring, with the annealing figure), 2 (trained on natural images,
measured on others; larger images), sr (x4), joint (x2 and colours), denoiser (with and
without the DAE, three seeds), networks (other networks in either part). --root holds
folders such as celeba/train and celeba/val; without it, the images of cub, celeba, voc
and imagenet come from tensorflow-datasets. The same command resumes an interrupted run;
when everything is trained, it only measures. The output directory holds Markdown, JSON
and figures of every table, and runs/.
"""

from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.paper.image_sets import IMAGE_SETS
from inversenet_tf.paper.measure import reproduce
from inversenet_tf.paper.tables import TABLES
from inversenet_tf.paper.trainings import Conditions

TABLE = flags.DEFINE_enum("table", None, list(TABLES), "Table to reproduce.", required=True)
DATA = flags.DEFINE_list("data", None, f"Image sets, from {', '.join(IMAGE_SETS)}.", required=True)
ROOT = flags.DEFINE_string("root", None, "Directory of image folders; by default TFDS is used.")
MINUTES = flags.DEFINE_float(
    "budget_minutes", 30.0, "Minutes for each training on an idle machine.", 0
)
OUTPUT = flags.DEFINE_string("output", "runs/reproduce", "Directory for all results.")
NOISE = flags.DEFINE_float("noise", 0.0, "Standard deviation, where white is 1.", 0)
WEIGHTS = flags.DEFINE_string(
    "comparator_weights", "", "File of SqueezeNet's weights; without it there is no comparator."
)
LIMIT = flags.DEFINE_integer("limit", None, "Images to measure in each set; default: all.", 1)


def main():
    conditions = Conditions(
        Path(OUTPUT.value).expanduser(),
        MINUTES.value,
        root=ROOT.value and Path(ROOT.value).expanduser(),
        noise=NOISE.value,
        comparator_weights=WEIGHTS.value,
        limit=LIMIT.value,
    )
    print(reproduce(TABLE.value, DATA.value, conditions))


if __name__ == "__main__":
    run(main)
