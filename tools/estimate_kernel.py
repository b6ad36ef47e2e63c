"""Estimates the blur of photographs: the kernel, the noise, and the confidence in them.

inversenet estimate-kernel --input=blurred.jpg --output=kernel.npy
inversenet estimate-kernel --input=burst/ --output=kernel.npy
inversenet estimate-kernel --input=face.png --output=kernel.npy --boundary=circular \
    --sharp_images=faces/

The photographs in a folder are assumed to share one blur, such as one camera shake. Next
to the kernel, a picture of it is written as kernel.png, and the noise and the confidence
as kernel.json. With --sharp_images, other images of the same class and framing, a single
small image is enough. To restore with the kernel, use
`inversenet restore --kernel=kernel.npy`.
"""

from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
import numpy as np

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.files.targets import check_replaceable
from inversenet_tf.imaging.physics.kernel_estimation import BOUNDARIES
from inversenet_tf.restoration.unknown_blur import (
    description_of,
    model_of_class,
    picture_of,
    search_bar,
    shared_blur,
)

INPUT = flags.DEFINE_string("input", None, "Image file or directory of images.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "File for the kernel (.npy).", required=True)
BOUNDARY = flags.DEFINE_enum(
    "boundary",
    "camera",
    BOUNDARIES,
    "What is beyond the frame: camera for photographs; circular for simulations that wrap around.",
)
GAMMA = flags.DEFINE_float(
    "gamma",
    1.0,
    "Gamma of the files' encoding: light, which is what gets blurred, is the pixel value to this "
    "power.",
    lower_bound=0.1,
    upper_bound=10.0,
)
SHARP_IMAGES = flags.DEFINE_string(
    "sharp_images",
    None,
    "Directory of sharp images of the same class, size and framing, such as aligned faces, which "
    "show what the sharp image may look like. Needs --boundary=circular.",
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace existing results.")


def main():
    output = Path(OUTPUT.value).expanduser()
    if output.suffix != ".npy":
        raise ValueError(f"Expected an --output ending in .npy. Received: {output}")
    results = [output, output.with_suffix(".png"), output.with_suffix(".json")]
    source = Path(INPUT.value).expanduser()
    paths = list_images(source) if source.is_dir() else [source]
    check_replaceable(results, paths, OVERWRITE.value)
    model = None
    if SHARP_IMAGES.value is not None:
        model = model_of_class(SHARP_IMAGES.value, BOUNDARY.value, GAMMA.value)
    with search_bar() as progress:
        estimate = shared_blur(paths, BOUNDARY.value, GAMMA.value, progress, model)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_image(results[1], picture_of(estimate.kernel))
    facts = {
        "input": str(source),
        "boundary": BOUNDARY.value,
        "gamma": GAMMA.value,
        "size": len(estimate.kernel),
        "noise": estimate.noise,
        "confidence": estimate.confidence,
        "reason": estimate.reason,
    }
    write_json(results[2], facts)
    with written_aside(output) as partial, open(partial, "wb") as file:
        np.save(file, estimate.kernel)
    print(description_of(estimate))
    print(f"Written: {', '.join(map(str, results))}.")


if __name__ == "__main__":
    run(main)
