"""Measures how well images of a class are restored with kernels found with an image model.

python tools/measure_class.py --benchmark=blind_faces --sharp_images=faces --output=runs/found

The benchmark is a directory of `measured` and `sharp` images of one size, with the same
names, and of `kernels`, .npy files with the same stems; its blurs are circular. Sharp
images of the class, which must be others, are cropped to the benchmark's framing, scaled
to its size, and also mirrored. PSNR is that of the whole image, after the best circular
shift by whole pixels and without a shift. The kernels that were found are kept beside the
results.
"""

import time
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image
from shifted_scores import best_circular_psnr, summary
from tqdm import tqdm

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.physics.image_model import ImageModel
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernels import from_file
from inversenet_tf.models.presets import load_preset
from inversenet_tf.restoration.closed_form import ClosedFormRestorer
from inversenet_tf.restoration.image_model_restorer import ImageModelRestorer
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.shipped import preset_folder
from inversenet_tf.trained_run import load_trained

BENCHMARK = flags.DEFINE_string(
    "benchmark", None, "Directory of the benchmark, see above.", required=True
)
SHARP_IMAGES = flags.DEFINE_string(
    "sharp_images", None, "Sharp images of the class.", required=True
)
SIDE = flags.DEFINE_integer(
    "side", 50, "Side in pixels of their central part to use.", lower_bound=8
)
EVERY = flags.DEFINE_integer("every", 2, "Use every n-th of the sharp images.", lower_bound=1)
NOISE = flags.DEFINE_float("noise", 0.01, "Noise of the benchmark, given with the true kernels.")
WORKDIR = flags.DEFINE_string("workdir", None, "Run of any_blur to restore with as well.")
OUTPUT = flags.DEFINE_string("output", None, "Directory for results.", required=True)


def framed(path, size):
    """The middle of an image, scaled to (height, width), in [0, 1]."""
    with Image.open(path) as image:
        left, top = ((extent - SIDE.value) // 2 for extent in image.size)
        middle = image.convert("RGB").crop((left, top, left + SIDE.value, top + SIDE.value))
    return np.asarray(middle.resize(size[::-1], Image.BICUBIC), np.float32) / 255.0


def main():
    benchmark = Path(BENCHMARK.value).expanduser()
    paths = list_images(benchmark / "measured")
    size = read_image(paths[0]).shape[:2]
    members = list_images(Path(SHARP_IMAGES.value).expanduser())[:: EVERY.value]
    images = np.stack([framed(path, size) for path in members])
    image_model = ImageModel.fit(np.concatenate([images, images[:, :, ::-1]]))
    network, *_ = load_preset(preset_folder("any_blur"), boundary="circular")
    methods = {
        "any_blur": ModelRestorer(network),
        "closed_form": ClosedFormRestorer(boundary="circular"),
        "image_model": ImageModelRestorer(image_model),
    }
    if WORKDIR.value is not None:
        methods["run"] = ModelRestorer(load_trained(WORKDIR.value)[0])
    output = Path(OUTPUT.value).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    per_image = {}
    for path in tqdm(paths, unit="image"):
        measured, sharp = read_image(path), read_image(benchmark / "sharp" / path.name)
        begin = time.process_time()
        estimate = estimate_kernel(measured, "circular", image_model=image_model)
        seconds, confidence = time.process_time() - begin, estimate.confidence
        np.save(output / f"{path.stem}.npy", estimate.kernel)
        scores = {"measured": best_circular_psnr(measured, sharp, reach=0)}
        truth = from_file(benchmark / "kernels" / f"{path.stem}.npy"), NOISE.value
        told = {"found": (estimate.kernel, estimate.noise), "true kernel": truth}
        for name, restore in methods.items():
            for knowledge, (kernel, noise) in told.items():
                restored = restore(measured, kernel=kernel, noise=noise)
                row = f"{name}, {knowledge}"
                scores[row] = best_circular_psnr(restored, sharp)
                scores[f"{row}, unshifted"] = best_circular_psnr(restored, sharp, reach=0)
        per_image[path.name] = {"psnr": scores, "seconds": seconds, "confidence": confidence}
    means = summary([row["psnr"] for row in per_image.values()])
    seconds = float(np.mean([row["seconds"] for row in per_image.values()]))
    facts = {"members": len(members), "processor_seconds": seconds, "versions": versions()}
    write_json(output / "results.json", facts | {"means": means, "images": per_image})
    for name, of_row in means.items():
        print(f"{name:28}", *(f"{score} {value:.2f}" for score, value in of_row.items()))


if __name__ == "__main__":
    run(main)
