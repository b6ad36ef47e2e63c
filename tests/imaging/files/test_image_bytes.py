import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from inversenet_tf.imaging.files import image_bytes
from inversenet_tf.imaging.files.images import read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)
ALPHA = np.full((13, 17, 1), 9, np.uint8)
DEEP = np.arange(13 * 17, dtype=np.uint16).reshape(13, 17) * 290
IMAGES = {
    "colours": Image.fromarray(PIXELS),
    "gray": Image.fromarray(PIXELS[..., 0]),
    "transparent": Image.fromarray(np.concatenate([PIXELS, ALPHA], -1)),
    "transparent_gray": Image.fromarray(np.concatenate([PIXELS[..., :1], ALPHA], -1)),
    "palette": Image.fromarray(PIXELS).quantize(16),
    "bilevel": Image.fromarray(PIXELS[..., 0]).convert("1"),
    "16_bits": Image.fromarray(DEEP),
}
GRAY = ("gray", "transparent_gray", "bilevel", "16_bits")


def contents_of(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@tf.function
def decoded(contents, channels):
    return image_bytes.decoded(contents, channels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", IMAGES)
def test_pngs_are_read_as_by_read_image(name, channels):
    contents = contents_of(IMAGES[name])
    image, is_gray = decoded(contents, channels)
    expected = read_image(io.BytesIO(contents), channels)
    np.testing.assert_allclose(image, expected, atol=1e-6)
    assert bool(is_gray) == (name in GRAY)


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
@pytest.mark.parametrize("name", ["colours", "gray"])
def test_jpegs_are_read_as_by_read_image(name, options):
    smooth = IMAGES[name].resize((170, 130), Image.Resampling.BICUBIC)
    contents = contents_of(smooth, "JPEG", **options)
    image, is_gray = decoded(contents, 3)
    np.testing.assert_allclose(image, read_image(io.BytesIO(contents)), atol=1.01 / 255)
    assert bool(is_gray) == (name == "gray")


def restored_bytes(images, channels, restore):
    contents = [contents_of(image) for image in images]
    answers = image_bytes.restored_bytes(tf.constant(contents), restore, channels).numpy()
    return [np.asarray(Image.open(io.BytesIO(answer))) for answer in answers]


def test_results_have_the_colours_that_the_files_had():

    def negative(images):
        assert images.shape[0] == 1 and images.shape[-1] == 3
        return 1.0 - images

    images = [IMAGES[name] for name in ("colours", "gray", "transparent")]
    colours, gray, opaque = restored_bytes(images, 3, negative)
    np.testing.assert_array_equal(colours, 255 - PIXELS)
    np.testing.assert_array_equal(gray, 255 - PIXELS[..., 0])
    np.testing.assert_array_equal(opaque, 255 - PIXELS)


def test_what_colours_gives_colours():
    (restored,) = restored_bytes([IMAGES["gray"]], 1, lambda y: tf.concat([y, 0 * y, 2 * y], -1))
    expected = PIXELS[..., :1] * np.array([1, 0, 2])
    np.testing.assert_array_equal(restored, expected.clip(0, 255))


def test_the_luma_is_rounded_to_nearest():
    (restored,) = restored_bytes([IMAGES["colours"]], 1, lambda y: y)
    np.testing.assert_array_equal(restored, IMAGES["colours"].convert("L"))
