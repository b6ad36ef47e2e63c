"""Measures a trained run on held-out images: a table, results.json and comparison.png.

inversenet evaluate --workdir=runs/demo
inversenet evaluate --workdir=runs/demo --data=folder:my/photos --limit=20
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.evaluation import evaluate

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
DATA = flags.DEFINE_string(
    "data",
    None,
    "photos, folder:DIR, prepared:DIR, pairs:SHARP_DIR,DEGRADED_DIR or tfds:NAME[@SPLIT]; "
    "by default the validation source of the run.",
)
LIMIT = flags.DEFINE_integer("limit", None, "Images to stop after.")
CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Which weights.")


def main():
    results = evaluate(WORKDIR.value, DATA.value, LIMIT.value, CHECKPOINT.value)
    print(results)


if __name__ == "__main__":
    run(main)
