"""Compares an export with the run it was made from, in a fresh process, on real images.

inversenet verify --export=models/mine --workdir=runs/mine
inversenet verify --export=models/mine --workdir=runs/mine --python=serving/bin/python
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.exporting.verification import verify
from inversenet_tf.imaging.files.json import check_fields
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import latest_version, read_metadata
from inversenet_tf.trained_run import load_trained

EXPORT = flags.DEFINE_string("export", None, "Directory of the export.", required=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of its run.", required=True)
DATA = flags.DEFINE_string("data", None, "Images to compare on; by default the validation images.")
PYTHON = flags.DEFINE_string(
    "python", None, "Python interpreter with TensorFlow; default: this one."
)
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export",
    False,
    "Run an export even if its graphs do more than compute, which makes it a program.",
)


def main():
    version = latest_version(EXPORT.value)
    metadata = read_metadata(version)
    if not {"checkpoint", "images"} <= metadata.keys():
        raise ValueError(
            f"Expected the export of an InverseNet's run in {version}. Received: one of a "
            f"{metadata.get('model')}"
        )
    if not TRUST_EXPORT.value:
        check_operations(version)
    read = {"checkpoint": {"which": str, "step": int}, "precision": str}
    check_fields(metadata, read, version)
    which, precision = metadata["checkpoint"]["which"], metadata["precision"]
    model, config, step = load_trained(WORKDIR.value, which, precision)
    if step != metadata["checkpoint"]["step"]:
        raise ValueError(
            f"Expected the run's {which} checkpoint to be of the export's step "
            f"{metadata['checkpoint']['step']}. Received: {step}"
        )
    verdict = verify(
        version,
        model,
        config,
        WORKDIR.value,
        precision=precision,
        data=DATA.value,
        python=PYTHON.value,
    )
    print(
        f"{version} differs from {WORKDIR.value} by at most {verdict['largest_difference']:.1e}, "
        f"computed by TensorFlow {verdict['tensorflow']}."
    )


if __name__ == "__main__":
    run(main)
