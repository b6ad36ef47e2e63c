"""Restores an image, or every image of a folder, of any size, with a trained run.

python tools/restore.py --workdir=runs/demo --input=blurred.jpg --output=restored/
"""

from absl import flags

from inversenet_tf.imaging.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.restoration import restore_files
from inversenet_tf.training import load_trained

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
INPUT = flags.DEFINE_string("input", None, "Image file, or directory of images.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the PNG results.", required=True)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace results that exist.")


def main():
    model, _, _ = load_trained(WORKDIR.value)
    restored, skipped = restore_files(model, INPUT.value, OUTPUT.value, OVERWRITE.value)
    print(f"{len(restored)} images restored into {OUTPUT.value}, {len(skipped)} skipped.")


if __name__ == "__main__":
    run(main)
