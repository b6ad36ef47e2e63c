"""Exports a trained run as the next version of a model for TF Serving.

inversenet export --workdir=runs/demo --output=models/deblur --verify
inversenet export --preset=any_blur --output=models/any_blur
inversenet export --workdir=runs/prior_digits --output=models/digits
inversenet export --workdir=runs/demo_blind/four_mixtures --output=models/mixing

The work directory may be that of an InverseNet, of a prior (its generator is exported) or
of a blind inversion (its surrogate, the estimated operator, is exported).
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from blind_gan_tf.config import InversionConfig, PriorConfig
from blind_gan_tf.export import export_prior, export_surrogate
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import config_class_of
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.config import PRECISIONS
from inversenet_tf.serving.saved_models import read_metadata
from inversenet_tf.shipped import preset_folder

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
PRESET = flags.DEFINE_string(
    "preset", None, "Name of a network that ships with the package, instead of a run."
)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the model's versions.", required=True)
WHICH = flags.DEFINE_enum(
    "which", "best", ["best", "last"], "Checkpoint of an InverseNet to export."
)
PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    PRECISIONS,
    "Precision of the hidden layers; mixed_bfloat16 is faster if the server's CPU supports it.",
)
GROUP = flags.DEFINE_integer(
    "group", None, "Index of the operator to export, for a blind inversion with several."
)
VERIFY = flags.DEFINE_bool(
    "verify",
    False,
    "Load the export in a fresh process and compare it with the Python model before publishing it.",
)
DATA = flags.DEFINE_string(
    "data", None, "Images to verify an InverseNet with; by default its validation images."
)
PYTHON = flags.DEFINE_string(
    "python", None, "Python interpreter with TensorFlow to verify in; by default this one."
)

flags.mark_flags_as_mutual_exclusive(["workdir", "preset"], required=True)


def _export():
    """Exports what the flags name, and returns the version's path."""
    workdir = WORKDIR.value if PRESET.value is None else preset_folder(PRESET.value)
    check = {"verified": VERIFY.value, "python": PYTHON.value}
    config_class = config_class_of(workdir, (Config, PriorConfig, InversionConfig))
    if config_class is Config:
        return export_run(
            workdir,
            OUTPUT.value,
            WHICH.value,
            PRECISION.value,
            verify=VERIFY.value,
            data=DATA.value,
            python=PYTHON.value,
        )
    if config_class is PriorConfig:
        return export_prior(workdir, OUTPUT.value, PRECISION.value, **check)
    return export_surrogate(workdir, OUTPUT.value, GROUP.value, **check)


def main():
    version = _export()
    verification = read_metadata(version)["verification"]
    print(f"Exported to {version}.")
    if verification:
        print(
            f"Verified in a fresh process with TensorFlow {verification['tensorflow']}: differs "
            f"from the Python model by at most {verification['largest_difference']:.1e}."
        )


if __name__ == "__main__":
    run(main)
