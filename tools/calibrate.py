"""Estimates the blur of measurements, restores them, and can train a network for it.

inversenet calibrate --measurements=burst/ --workdir=runs/camera
inversenet calibrate --measurements=burst/ --workdir=runs/camera --minutes=10
inversenet calibrate --measurements=burst/ --workdir=runs/camera --minutes=10 \
    --model=runs/any_blur --images=folder:photos/sharp

The kernel and the noise are estimated from the measurements, which are assumed to share
one blur, and the measurements are restored without training. With --minutes, a network
for this kernel is also trained and exported. WORKDIR/report.html shows the results. The
same command resumes an interrupted calibration.

Exit status: 0 when all is done; 1 after an error, such as no trustworthy blur estimate;
138 if SIGTERM or Ctrl-C ended the training early.
"""

import shlex

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.calibration.road import calibrate
from inversenet_tf.calibration.settings import BOUNDARIES, DEFAULT_MODEL
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.restoration.unknown_blur import description_of

MEASUREMENTS = flags.DEFINE_string(
    "measurements", None, "Directory of images that share a blur, or one image.", required=True
)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the results.", required=True)
MODEL = flags.DEFINE_string(
    "model",
    DEFAULT_MODEL,
    "Model that restores without training: a preset, a run or an export of a network for any "
    "blur, or closed_form. With --minutes, training starts from the weights of a preset or run.",
)
BOUNDARY = flags.DEFINE_enum(
    "boundary",
    "camera",
    BOUNDARIES,
    "What is beyond the frame: camera for photographs; circular for simulations that wrap around.",
)
MINUTES = flags.DEFINE_float(
    "minutes", 0.0, "Train a network for this blur for about this many minutes.", lower_bound=0.0
)
IMAGES = flags.DEFINE_string(
    "images", "photos", "Sharp images to train the network on: photos, folder:DIR, tfds:NAME, ..."
)
ALIGNED = flags.DEFINE_bool(
    "aligned",
    False,
    "The sharp images are framed like the measurements, such as aligned faces: use the middle of "
    "each unchanged. Needs --boundary=circular.",
)
SHARP_IMAGES = flags.DEFINE_string(
    "sharp_images",
    None,
    "Directory of sharp images of the measurements' class, size and framing, such as aligned "
    "faces, to estimate the kernel with; --model=closed_form also restores with them. Needs "
    "--boundary=circular.",
)
MAX_MEMORY = flags.DEFINE_string(
    "max_memory",
    None,
    "Memory that restoring one image may take, such as 2GiB. Default: half of the free memory.",
)
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export",
    False,
    "Run an export even if its graphs do more than compute, which makes it a program.",
)


def main():
    calibration = calibrate(
        MEASUREMENTS.value,
        WORKDIR.value,
        model=MODEL.value,
        boundary=BOUNDARY.value,
        minutes=MINUTES.value,
        images=IMAGES.value,
        aligned=ALIGNED.value,
        sharp_images=SHARP_IMAGES.value,
        trusted=TRUST_EXPORT.value,
        max_memory=memory_limit(MAX_MEMORY.value),
    )
    print(description_of(calibration.estimate))
    for name, evidence in calibration.evidence.items():
        print(
            f"{name}: misfit {evidence.misfit:.2f} times the noise, blur effect {evidence.blur:.3f}"
        )
    print(f"Results: {calibration.report}")
    if calibration.export:
        at = f"--export={shlex.quote(str(calibration.export))}"
        print("To restore more photographs of this camera:")
        print(f"  inversenet restore {at} --input=PHOTOGRAPHS --output=restored")


if __name__ == "__main__":
    run(main)
