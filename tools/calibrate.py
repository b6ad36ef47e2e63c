"""Finds the blur of a camera's measurements, restores them, and can train a network for it.

inversenet calibrate --measurements=burst/ --workdir=runs/camera
inversenet calibrate --measurements=burst/ --workdir=runs/camera --minutes=10
inversenet calibrate --measurements=burst/ --workdir=runs/camera --minutes=10 \
    --model=runs/any_blur --images=folder:photos/sharp

Kernel and noise are estimated from the measurements, which are assumed to share one blur,
and the measurements are restored at once. With --minutes a network for this kernel is
also trained and exported. WORKDIR/report.html shows what was found and made. The same
command resumes an interrupted calibration.

Exit status: 0 when all is done; 1 after an error, as when no blur is found that can be
trusted; 138 if SIGTERM or Ctrl-C ended the training early.
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
    "What restores at once: a preset, a run or an export of a network for any blur, or "
    "closed_form. The network of --minutes begins with the weights of a preset or a run.",
)
BOUNDARY = flags.DEFINE_enum(
    "boundary",
    "camera",
    BOUNDARIES,
    "What is beyond the frame: camera for photographs; circular for simulations that go round.",
)
MINUTES = flags.DEFINE_float(
    "minutes", 0.0, "Train a network for this blur for about so long.", lower_bound=0.0
)
IMAGES = flags.DEFINE_string(
    "images", "photos", "Sharp images to train it on: photos, folder:DIR, tfds:NAME, ..."
)
ALIGNED = flags.DEFINE_bool(
    "aligned",
    False,
    "The sharp images are framed as the measurements are, as aligned faces: the middle of each is "
    "taken as it is. With --boundary=circular.",
)
SHARP_IMAGES = flags.DEFINE_string(
    "sharp_images",
    None,
    "Directory of sharp images of the measurements' class, size and framing, such as aligned "
    "faces, by which the kernel is found; --model=closed_form restores by them, too. With "
    "--boundary=circular.",
)
MAX_MEMORY = flags.DEFINE_string(
    "max_memory",
    None,
    "What restoring one image may take, as 2GiB. By default half of what is free.",
)
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export", False, "Run an export whose graphs do more than compute: it is a program."
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
        print(f"{name}: misfit {evidence.misfit:.2f} of the noise, blur effect {evidence.blur:.3f}")
    print(f"Results: {calibration.report}")
    if calibration.export:
        at = f"--export={shlex.quote(str(calibration.export))}"
        print("More photographs of this camera are restored by")
        print(f"  inversenet restore {at} --input=PHOTOGRAPHS --output=restored")


if __name__ == "__main__":
    run(main)
