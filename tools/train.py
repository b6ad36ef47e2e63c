"""Trains the experiment of a config file; the same command resumes an interrupted run.

python tools/train.py --config=configs/inversenet/quickstart.py --workdir=runs/quickstart
python tools/train.py --config=... --workdir=... --config.optimizer.learning_rate=2e-4

Every field of inversenet_tf/config.py can be set so, as --config.section.field=value.
"""

from absl import flags
from ml_collections import config_flags

from inversenet_tf.command_line import run
from inversenet_tf.training import train

CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
flags.mark_flags_as_required(["config", "workdir"])


def main():
    train(CONFIG.value, WORKDIR.value)


if __name__ == "__main__":
    run(main)
