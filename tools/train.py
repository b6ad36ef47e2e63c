"""Trains the experiment of a config file; the same command resumes an interrupted run.

inversenet train --config=quickstart --workdir=runs/quickstart
inversenet train --config=prior_digits --workdir=runs/prior_digits
inversenet train --config=... --workdir=... --config.training.steps=5000
inversenet train --config=... --workdir=... --config.training.steps=8000 --extend
inversenet train --config=... --workdir=... --initial_weights=runs/quickstart

Every field of inversenet_tf/config.py or of blind_gan_tf/config.py can be set with
--config.section.field=value; --help lists the most common ones, --print_config all of
them, as they would be used. With several hosts, run it on each, with TF_CONFIG set.

Exit status: 0 when the training is done; 1 after an error; 138 if SIGTERM, Ctrl-C or the
loss of another worker ended it early. The same command then resumes it.
"""

import dataclasses
import json

from absl import flags
from ml_collections import config_flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from blind_gan_tf import prior_training
from blind_gan_tf.config import PriorConfig
from inversenet_tf import training
from inversenet_tf.config import Config
from inversenet_tf.recipes import quickstart
from inversenet_tf.train_help import help_text

CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
EXTEND = flags.DEFINE_bool(
    "extend",
    False,
    "Continue a run, finished or not, that was started with fewer steps or with another batch "
    "size, learning rate, schedule or image location.",
)
INITIAL_WEIGHTS = flags.DEFINE_string(
    "initial_weights",
    None,
    "For fine-tuning: run or preset whose weights the training starts from. Same as "
    "--config.training.initial_weights.",
)
PRINT_CONFIG = flags.DEFINE_bool(
    "print_config", False, "Print the whole config as it would be used, and exit."
)
flags.mark_flag_as_required("config")


@flags.multi_flags_validator(["workdir", "print_config"], "Flag --workdir must have a value.")
def _has_workdir(values):
    return values["workdir"] is not None or values["print_config"]


TRAINERS = {
    Config: (training.train, training.what_next),
    PriorConfig: (prior_training.train_prior, prior_training.what_next),
}


def main():
    if type(CONFIG.value) not in TRAINERS:
        raise ValueError(
            "Expected a config for a training. Received: a "
            f"{type(CONFIG.value).__name__}, which is for tools/invert.py"
        )
    train, what_next = TRAINERS[type(CONFIG.value)]
    if INITIAL_WEIGHTS.value is not None:
        CONFIG.value.training.initial_weights = INITIAL_WEIGHTS.value
    if PRINT_CONFIG.value:
        CONFIG.value.validate()
        print(json.dumps(dataclasses.asdict(CONFIG.value), indent=2))
        return
    train(CONFIG.value, WORKDIR.value, extend=EXTEND.value)
    print(what_next(WORKDIR.value))


def text_of_help():
    """Returns the help, with the values of the config named beside --help or of the quickstart."""
    config = CONFIG.value or quickstart()
    return help_text(config, "the config" if CONFIG.value else "quickstart")


if __name__ == "__main__":
    run(main, text_of_help)
