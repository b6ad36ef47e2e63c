"""Measures restorations of unknown blur on photographs that violate the model a little.

python tools/measure_imperfect_blur.py --output=runs/imperfect

The two photographs that the package holds out of every training are blurred by camera
shakes, each in several ways: as the model has it; with lamps beyond the sensor's range,
whose values are clipped after the blur; in light, and stored with a gamma of 2.2; stored
as JPEG of quality 75; and by a kernel that rotates and grows across the frame. PSNR is
that of the frame without its outermost pixels, after the best shift by whole pixels, as
an estimated kernel is only known up to a shift.
"""

import io
from pathlib import Path

import numpy as np
import scipy.ndimage
from absl import flags
from camera_files import photographed, stored
from PIL import Image
from shifted_scores import best_psnr, summary
from tqdm import tqdm

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.data.sources import Photos
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernels import camera_shake
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import within_frame
from inversenet_tf.loading import load
from inversenet_tf.restoration.linear_light import LinearLightRestorer

OUTPUT = flags.DEFINE_string("output", None, "Directory for the results.", required=True)
MODEL = flags.DEFINE_string("model", "any_blur", "Model, as for `load`.")
PHOTOGRAPHS = flags.DEFINE_enum("photographs", "held_out", ["held_out", "training"], "Set.")
KERNELS = flags.DEFINE_integer("kernels", 3, "Kernels per photograph.", lower_bound=1)
SIZE = flags.DEFINE_integer("size", 15, "Side of the kernels in pixels.", lower_bound=3)
NOISE = flags.DEFINE_float("noise", 0.005, "Standard deviation, white is 1.", lower_bound=0.0)
ONLY = flags.DEFINE_list("only", None, "Ways of blurring to measure; default: all.")

LAMP, BRIGHTNESS = 0.9, 4.0  # the least value of a lamp, and the factor by which it is brighter
GAMMA = 2.2
QUALITY = 75  # of the JPEG
TURN, GROWTH = 6.0, 0.08  # degrees and fraction by which the kernel differs at either side


def plain(image, kernel, generator):
    """Exactly as the model has it."""
    return photographed(image, kernel, NOISE.value, generator)


def saturated(image, kernel, generator):
    """The same, but the brightest parts exceed the sensor's range: clipped after the blur."""
    light = image * np.where(image.max(axis=-1, keepdims=True) >= LAMP, BRIGHTNESS, 1.0)
    blurred, sharp = within_frame(kernel, light.astype(np.float32))
    return stored(blurred, NOISE.value, generator), np.clip(sharp, 0, 1)


def of_light(image, kernel, generator):
    """Blurs light; the stored values are light to the power of 1 / 2.2."""
    blurred, sharp = within_frame(kernel, image**GAMMA)
    noisy = blurred + NOISE.value * generator.standard_normal(blurred.shape)
    stored = np.clip(noisy, 0, 1) ** (1 / GAMMA)
    return round_to_8_bits(stored.astype(np.float32)).numpy(), sharp ** (1 / GAMMA)


def jpeg(image, kernel, generator):
    """As `plain`, then stored as JPEG."""
    measured, sharp = plain(image, kernel, generator)
    file = io.BytesIO()
    Image.fromarray(np.uint8(np.rint(measured * 255))).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file), np.float32) / 255, sharp


def varying(image, kernel, generator):
    """The camera also rolls: the kernel rotates and grows from left to right of the frame."""
    sides = [_turned(kernel, sign * TURN, 1 + sign * GROWTH) for sign in (-1, 1)]
    left, right = (within_frame(side, image)[0] for side in sides)
    _, sharp = within_frame(kernel, image)
    weights = np.linspace(0, 1, left.shape[1])[:, np.newaxis]
    return stored((1 - weights) * left + weights * right, NOISE.value, generator), sharp


WAYS = {
    "plain": plain,
    "saturated": saturated,
    "gamma": of_light,
    "jpeg": jpeg,
    "varying": varying,
}


def _turned(kernel, degrees, growth):
    """Rotates and scales a kernel about its middle, in an array of the same size."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.array([[cosine, -sine], [sine, cosine]]) / growth
    middle = (np.array(kernel.shape) - 1) / 2
    turned = scipy.ndimage.affine_transform(kernel, matrix, middle - matrix @ middle, order=1)
    return (turned / turned.sum()).astype(np.float32)


def scores_of(measured, sharp, kernel, restorer, gamma):
    """Returns ({row: dB} of one photograph, the kernel's estimate)."""
    estimate = estimate_kernel(measured, gamma=gamma)
    around = restorer if gamma == 1 else LinearLightRestorer(restorer, gamma)
    found = measured
    if estimate.is_blur:
        found = around(measured, kernel=estimate.kernel, noise=estimate.noise)
    told = around(measured, kernel=kernel, noise=NOISE.value)
    images = {"measured": measured, "found": found, "true": told}
    return {name: best_psnr(image, sharp) for name, image in images.items()}, estimate


def main():
    for name in ONLY.value or ():
        check_choice("--only", name, WAYS)
    ways = {name: WAYS[name] for name in ONLY.value or WAYS}
    output = Path(OUTPUT.value).expanduser()
    check_writable(output)
    restorer = load(MODEL.value)
    source = Photos(PHOTOGRAPHS.value, 3, 1)
    results = {}
    told = [(name, 1.0) for name in ways] + [("gamma", GAMMA)] * ("gamma" in ways)
    for name, gamma in tqdm(told, unit="way"):
        rows, facts = [], []
        for number in range(len(source)):
            for seed in range(KERNELS.value):
                kernel = camera_shake(SIZE.value, seed=100 * number + seed)
                generator = np.random.default_rng([number, seed])
                measured, sharp = ways[name](source.load(number), kernel, generator)
                scores, estimate = scores_of(measured, sharp, kernel, restorer, gamma)
                rows.append(scores)
                facts.append({"noise": estimate.noise, "confidence": estimate.confidence} | scores)
        way = name if gamma == 1 else f"{name}, told {gamma:g}"
        results[way] = {"means": summary(rows), "each": facts}
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "results.json", {"versions": versions(), "ways": results})
    print(f"{'':20} {'measured':>9} {'found':>7} {'least gain':>11} {'true':>7} {'least gain':>11}")
    for way, result in results.items():
        measured, found, true = result["means"].values()
        print(
            f"{way:20} {measured['psnr']:9.2f} {found['psnr']:7.2f} {found['least_gain']:11.2f} "
            f"{true['psnr']:7.2f} {true['least_gain']:11.2f}"
        )


if __name__ == "__main__":
    run(main)
