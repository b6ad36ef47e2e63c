"""Makes a preset of a trained run: its networks in a few files, as they ship with the package.

inversenet make-preset --workdir=runs/any_blur --output=presets/any_blur \
    --summary="Deblurs photographs."

What `inversenet_tf/presets/` of a checkout holds is what `inversenet_tf.load` knows by name. The
paths of the training images are left out; the preset verifies and evaluates on the embedded
photographs.
"""

import dataclasses
import shutil
from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.engine.workdir import CONFIG_FILE, versions
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.models.presets import KERNEL_FILE, SPECTRUM_FILE, WEIGHTS_FILE, write_weights
from inversenet_tf.shipped import CARD_FILE
from inversenet_tf.trained_run import load_trained

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
WHICH = flags.DEFINE_enum("which", "best", ["best", "last"], "Its checkpoint.")
OUTPUT = flags.DEFINE_string("output", None, "Directory of the preset.", required=True)
SUMMARY = flags.DEFINE_string("summary", None, "What it is, in a sentence.", required=True)


def main():
    model, config, step = load_trained(WORKDIR.value, WHICH.value, "float32")
    workdir, output = Path(WORKDIR.value).expanduser(), Path(OUTPUT.value).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    write_weights(output, model.networks)
    for name in (KERNEL_FILE, SPECTRUM_FILE):
        if (workdir / name).exists():
            shutil.copyfile(workdir / name, output / name)
    config.data.train = config.data.validation = "photos"
    config.training.precision, config.training.initial_weights = "float32", ""
    write_json(output / CONFIG_FILE, dataclasses.asdict(config))
    card = {"summary": SUMMARY.value, "step": step, "versions": versions()}
    write_json(output / CARD_FILE, card)  # last, as it makes the folder a preset
    size = sum(path.stat().st_size for path in output.iterdir())
    print(f"{output}: {size / 2**20:.2f} MiB, of which {WEIGHTS_FILE} are the weights.")


if __name__ == "__main__":
    run(main)
