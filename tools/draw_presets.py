"""Draws what the presets do well and what they fail on, with images none was trained on.

python tools/draw_presets.py --preset=any_blur --output=docs/images/any_blur.jpg
python tools/draw_presets.py --preset=x4_photos --output=docs/images/x4_photos.jpg
python tools/draw_presets.py --preset=any_blur --tuned=runs/sharper --output=docs/images/sharper.jpg

Each row shows the measurement, its bicubic interpolation if it is smaller, the result and
the truth; with --tuned, the preset's result, that of a run fine-tuned from it, and the
truth. For the preset of digits, `inversenet invert --config.prior=digits` draws figure.png.
"""

import io

import numpy as np
from absl import flags
from PIL import Image

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.imaging.config import OperatorConfig
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.files.pixels import from_integers, to_uint8
from inversenet_tf.imaging.physics.kernels import camera_shake
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import build_operator, within_frame
from inversenet_tf.imaging.physics.upsampling import bicubic
from inversenet_tf.loading import load
from inversenet_tf.restoration.unknown_blur import UnknownBlurRestorer

PRESET = flags.DEFINE_enum("preset", None, ["any_blur", "x4_photos"], "Preset.", required=True)
TUNED = flags.DEFINE_string("tuned", None, "Run that started from the weights of any_blur.")
OUTPUT = flags.DEFINE_string("output", None, "Picture to write (.jpg or .png).", required=True)
CROP = slice(40, 240), slice(110, 310)
DETAILS = (slice(128, 224), slice(130, 226)), (slice(60, 156), slice(152, 248))  # of cat and cup
GAP, SEED = 6, 0  # white pixels between pictures; seed of the noise


def _any_blur(cat, cup):
    """A shake with the kernel estimated; and the same scene overexposed, with the kernel known."""
    kernel, noise = camera_shake(15, seed=2), np.random.default_rng(SEED)
    preset = load("any_blur")
    for image, gain in ((cup, 1.0), (cup, 1.6)):
        blurred, sharp = within_frame(kernel, gain * image)
        blurred = np.float32(blurred + 0.005 * noise.standard_normal(blurred.shape))
        measured = round_to_8_bits(np.clip(blurred, 0, 1)).numpy()
        finds = gain == 1
        restored = (
            UnknownBlurRestorer(preset)(measured) if finds else preset(measured, kernel, 0.005)
        )
        yield [np.clip(picture, 0, 1)[CROP] for picture in (measured, restored, sharp)]


def _tuned(cat, cup):
    """Details of both photographs, twice as large, with kernel and noise known."""
    kernel, noise = camera_shake(15, seed=2), np.random.default_rng(SEED)
    models = load("any_blur"), load(TUNED.value)
    for image, detail in zip((cat, cup), DETAILS, strict=True):
        blurred, sharp = within_frame(kernel, image)
        blurred = np.float32(blurred + 0.01 * noise.standard_normal(blurred.shape))
        measured = round_to_8_bits(np.clip(blurred, 0, 1)).numpy()
        pictures = [np.clip(model(measured, kernel, 0.01), 0, 1) for model in models] + [sharp]
        yield [picture[detail].repeat(2, axis=0).repeat(2, axis=1) for picture in pictures]


def _x4_photos(cat, cup):
    """A photograph that was scaled down; and one that was then stored as a JPEG of quality 30."""
    config = OperatorConfig("downsampling", 4, boundary="reflect", kernel="bicubic")
    operator, preset = build_operator(config), load("x4_photos")
    for image, quality in ((cup, None), (cat, 30)):
        image = image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
        small = round_to_8_bits(operator(image[np.newaxis])).numpy()
        if quality:
            file = io.BytesIO()
            Image.fromarray(to_uint8(small[0])).save(file, "JPEG", quality=quality)
            small = from_integers(np.asarray(Image.open(file)))[np.newaxis]
        interpolated = bicubic(small, 4, operator.phase + operator.shift, "reflect")[0].numpy()
        seen = small[0].repeat(4, axis=0).repeat(4, axis=1)
        yield [picture[CROP] for picture in (seen, interpolated, preset(small[0]), image)]


def _beside(pictures):
    """Pictures of one height in a row, with white to the right of and below each."""
    around = ((0, GAP), (0, GAP), (0, 0))
    return np.concatenate([np.pad(p, around, constant_values=1.0) for p in pictures], axis=1)


def main():
    draw = {"any_blur": _any_blur, "x4_photos": _x4_photos}[PRESET.value]
    draw = _tuned if TUNED.value else draw
    source = open_source("photos", HELD_OUT)
    cat, cup = source.load(0), source.load(1)
    rows = [_beside(pictures) for pictures in draw(cat, cup)]
    picture = np.concatenate(rows)[:-GAP, :-GAP]
    Image.fromarray(to_uint8(picture)).save(OUTPUT.value, quality=90, optimize=True)


if __name__ == "__main__":
    run(main)
