"""Exports a trained run as a SavedModel.

python tools/export.py --workdir=runs/demo --output=runs/demo/export
"""

from absl import flags

from inversenet_tf.imaging.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.export import export
from inversenet_tf.training import load_trained

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory to make.", required=True)


def main():
    model, _, step = load_trained(WORKDIR.value)
    export(model, OUTPUT.value)
    print(f"Exported the weights of step {step} to {OUTPUT.value}.")


if __name__ == "__main__":
    run(main)
