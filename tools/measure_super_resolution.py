"""Measures how well photographs that were scaled down by four are scaled up again.

python tools/measure_super_resolution.py --images=set5 --output=runs/set5

Each photograph, trimmed to multiples of four, is scaled down by an anti-aliased bicubic
filter and stored in 8 bits. The scores are PSNR of all channels and, as in papers, PSNR
and SSIM of the luma from 16 to 235 (whose PSNR is 1.3 dB more than that of the luma from
0 to 255), all without the outermost four pixels.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.baselines.lmmse import lmmse
from inversenet_tf.imaging.config import OperatorConfig
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.imaging.physics.upsampling import bicubic
from inversenet_tf.loading import load

IMAGES = flags.DEFINE_string("images", None, "Directory of sharp photographs.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the results.", required=True)
MODELS = flags.DEFINE_list("models", ["x4_photos"], "Models, as for `load`.")
LIMIT = flags.DEFINE_integer("limit", 20, "Number of photographs, evenly spread.", lower_bound=1)

SCALE = 4
LUMA = np.array([65.481, 128.553, 24.966], np.float32) / 255.0  # ITU-R BT.601, 16 to 235


def scaled_down(image, operator):
    """Scales a photograph down and rounds it to 8 bits, as a program stores it."""
    return round_to_8_bits(operator(image[np.newaxis]))[0].numpy()


def baselines(operator):
    """{row: a function of a measurement} of what needs no training."""
    centre = operator.phase + operator.shift
    settings = {"boundary": "reflect", "scale": SCALE, "phase": operator.phase}
    return {
        "bicubic": lambda y: bicubic(y[np.newaxis], SCALE, centre, "reflect")[0].numpy(),
        "closed_form": lambda y: lmmse(y[np.newaxis], operator.kernel, **settings)[0],
    }


def scores_of(estimate, image):
    """The three scores of one photograph."""
    inner = (slice(SCALE, -SCALE), slice(SCALE, -SCALE))
    estimate, image = round_to_8_bits(np.float32(estimate)).numpy()[inner], image[inner]
    lumas = [(values @ LUMA)[..., np.newaxis] for values in (estimate, image)]
    return {
        "psnr_rgb": float(tf.image.psnr(estimate, image, 1.0)),
        "psnr_y": float(tf.image.psnr(*lumas, 1.0)),
        "ssim_y": float(tf.image.ssim(*map(tf.constant, lumas), 1.0)),
    }


def main():
    config = OperatorConfig("downsampling", SCALE, boundary="reflect", kernel="bicubic")
    operator = build_operator(config)
    methods = baselines(operator) | {name: load(name) for name in MODELS.value}
    paths = list_images(Path(IMAGES.value).expanduser())
    per_photograph = {}
    for path in paths[:: max(len(paths) // LIMIT.value, 1)][: LIMIT.value]:
        image = read_image(path)
        image = image[: image.shape[0] // SCALE * SCALE, : image.shape[1] // SCALE * SCALE]
        measurement = scaled_down(image, operator)
        per_photograph[path.name] = {
            name: scores_of(restore(measurement), image) for name, restore in methods.items()
        }
    rows = list(per_photograph.values())
    means = {
        name: {score: float(np.mean([row[name][score] for row in rows])) for score in scores}
        for name, scores in rows[0].items()
    }
    output = Path(OUTPUT.value).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    facts = {"images": IMAGES.value, "versions": versions(), "means": means}
    write_json(output / "results.json", facts | {"scores": per_photograph})
    for name, scores in means.items():
        print(f"{name:12}", *(f"{score} {value:.3f}" for score, value in scores.items()))


if __name__ == "__main__":
    run(main)
