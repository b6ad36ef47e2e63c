"""Makes a preset from a trained run: its networks in a few files, to ship with the package.

python tools/make_preset.py --workdir=runs/any_blur --output=presets/any_blur --card=card.json

Presets in `inversenet_tf/presets/` of a checkout are loaded by their name. The card says
what the preset is, in `summary`, and how it was made. The paths of the training images
are left out, also of a prior's own file; an InverseNet preset verifies and evaluates on the
embedded images.
"""

import dataclasses
import shutil
from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from blind_gan_tf.config import PriorConfig
from blind_gan_tf.prior import PRIOR_FILE, Prior, load_prior, save_prior
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import CONFIG_FILE, config_class_of, read_config, versions
from inversenet_tf.imaging.files.json import read_json, write_json
from inversenet_tf.models.presets import KERNEL_FILE, SPECTRUM_FILE, write_weights
from inversenet_tf.restoration.image_spec import spec_of
from inversenet_tf.shipped import CARD_FILE
from inversenet_tf.trained_run import load_trained

EMBEDDED = ("photos", "digits")  # sources of images that come with the package
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
WHICH = flags.DEFINE_enum("which", "best", ["best", "last"], "Checkpoint of an InverseNet.")
OUTPUT = flags.DEFINE_string("output", None, "Directory for the preset.", required=True)
CARD = flags.DEFINE_string("card", None, "JSON file that describes the preset.", required=True)


def _networks_of(workdir, output):
    """Writes the networks of an InverseNet; returns its config and what the card says of them."""
    model, config, step = load_trained(workdir, WHICH.value, "float32")
    write_weights(output, model.networks)
    for name in (KERNEL_FILE, SPECTRUM_FILE):
        if (workdir / name).exists():
            shutil.copyfile(workdir / name, output / name)
    config.data.train = config.data.validation = "photos"
    config.data.test = ""
    return config, {"step": step, "bytes_per_pixel": spec_of(model).bytes_per_pixel}


def _prior_of(workdir, output):
    """The same for a GAN, whose file holds its config, too."""
    prior = load_prior(workdir, "float16")  # which `load_prior` makes float32 again
    config = read_config(workdir, PriorConfig)
    for field in ("train", "validation", "test"):
        if getattr(config.data, field) not in EMBEDDED:
            setattr(config.data, field, "")
    config.training.initial_weights = ""
    training = {**prior.training, "config": dataclasses.asdict(config)}
    networks = prior.generator, prior.discriminator
    save_prior(Prior(*networks, prior.latents, training), output / PRIOR_FILE)
    return config, {"step": training["step"]}


def main():
    workdir, output = Path(WORKDIR.value).expanduser(), Path(OUTPUT.value).expanduser()
    card = read_json(Path(CARD.value).expanduser())
    if not card.get("summary"):
        raise ValueError(
            f"Expected a summary in the card {CARD.value}. Received: {', '.join(card)}"
        )
    of_its_kind = {Config: _networks_of, PriorConfig: _prior_of}
    kept = config_class_of(workdir, tuple(of_its_kind))
    output.mkdir(parents=True, exist_ok=True)
    config, told = of_its_kind[kept](workdir, output)
    config.training.precision = "float32"
    config.training.initial_weights = ""
    write_json(output / CONFIG_FILE, dataclasses.asdict(config))
    made = told | {"versions": versions()}
    write_json(output / CARD_FILE, card | made)  # last, as it makes the folder a preset
    size = sum(path.stat().st_size for path in output.iterdir())
    print(f"{output}: {size / 2**20:.2f} MiB, the networks of step {told['step']}.")


if __name__ == "__main__":
    run(main)
