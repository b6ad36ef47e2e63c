"""Recovers images, and the operator that measured them, from measurements alone.

inversenet invert --config=deblur --workdir=runs/deblur \\
    --config.prior=runs/prior_celeba
inversenet invert --config=... --workdir=... --measurements=DIR   # your own

Every field of InversionConfig in blind_gan_tf/config.py can be set with
--config.section.field=value. The same command resumes an interrupted search.
"""

from absl import flags
from ml_collections import config_flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from blind_gan_tf.config import InversionConfig
from blind_gan_tf.experiment import run_inversion
from blind_gan_tf.scoring import format_table
from inversenet_tf.imaging.wording import counted

CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the experiment.")
MEASUREMENTS = flags.DEFINE_string(
    "measurements",
    None,
    "Directory of your own measurements, images or .npy arrays; by default "
    "held-out images are measured as the config describes.",
)
flags.mark_flags_as_required(["config", "workdir"])


def main():
    if not isinstance(CONFIG.value, InversionConfig):
        raise ValueError(
            "Expected a config for an inversion. Received: a "
            f"{type(CONFIG.value).__name__}, which is for tools/train.py"
        )
    results = run_inversion(CONFIG.value, WORKDIR.value, MEASUREMENTS.value)
    measurements = counted(results["number_of_images"], "measurement")
    print(f"{measurements} from {results['data']['source']}")
    if any(results["methods"].values()):
        print(format_table(results["methods"]))
    print(f"See {WORKDIR.value}/figure.png and {WORKDIR.value}/recovered/")


if __name__ == "__main__":
    run(main)
