"""A part of an image is what one would cut out of the whole, to the bit."""

import io

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image

from inversenet_tf.imaging.data.cache import Cached
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.sources import Selection
from inversenet_tf.imaging.files.images import EXIF_ORIENTATION, ImageReadError, read_image
from inversenet_tf.imaging.physics.noise import add_gaussian_noise

PHOTOGRAPH = skimage.data.chelsea()[:155, :205]  # sides that are no multiple of a block's


def jpeg(pixels=PHOTOGRAPH, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def windows(height, width, count):
    """Windows in all corners and at `count` random places."""
    generator = np.random.default_rng(0)
    parts = [(0, 0, 40), (height - 40, width - 40, 40), (0, width - 33, 33), (height - 33, 0, 33)]
    for side in generator.integers(20, 70, count).tolist():
        top, left = generator.integers([height - side + 1, width - side + 1]).tolist()
        parts.append((top, left, side))
    return [(slice(t, t + side), slice(le, le + side)) for t, le, side in parts]


@pytest.fixture
def decoded_by_tensorflow(monkeypatch):
    """A list that grows by one with every part that is decoded without the rest."""
    calls = []
    decode = tf.io.decode_and_crop_jpeg

    def counted(*args, **kwargs):
        calls.append(decode(*args, **kwargs))
        return calls[-1]

    monkeypatch.setattr(tf.io, "decode_and_crop_jpeg", counted)
    return calls


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1"])
def test_a_small_part_of_a_jpeg_has_the_bits_of_the_whole(
    subsampling, progressive, decoded_by_tensorflow
):
    content = jpeg(subsampling=subsampling, progressive=progressive)
    whole = read_image(io.BytesIO(content))
    chosen = windows(*whole.shape[:2], 30)
    for window in chosen:
        part = read_image(io.BytesIO(content), window=lambda *shape, window=window: window)
        np.testing.assert_array_equal(part, whole[window])
    assert len(decoded_by_tensorflow) == len(chosen)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "I;16", "P", "LA"])
def test_parts_of_other_kinds_too(tmp_path, mode, channels):
    if mode == "I;16":
        image = Image.fromarray(PHOTOGRAPH[..., 0].astype(np.uint16) * 256 + 3)
    else:
        image = Image.fromarray(PHOTOGRAPH).convert(mode)
    path = tmp_path / ("image.jpg" if mode in ("L", "RGB", "CMYK") else "image.png")
    image.save(path)
    whole = read_image(path, channels)
    for window in windows(*whole.shape[:2], 3):
        part = read_image(path, channels, window=lambda *shape, window=window: window)
        np.testing.assert_array_equal(part, whole[window])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_windows_are_those_of_the_upright_image(orientation):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    content = jpeg(exif=exif)
    whole = read_image(io.BytesIO(content))
    shapes = []

    def window(height, width):
        shapes.append((height, width))
        return slice(3, 43), slice(width - 40, width)

    part = read_image(io.BytesIO(content), window=window)
    assert set(shapes) == {whole.shape[:2]}
    np.testing.assert_array_equal(part, whole[3:43, -40:])


def test_a_truncated_jpeg_has_no_parts():
    with pytest.raises(ImageReadError, match="half.jpg"):
        content = jpeg()
        corner = (slice(0, 32), slice(0, 32))
        read_image(
            io.BytesIO(content[: len(content) // 2]), name="half.jpg", window=lambda *s: corner
        )


def test_what_tensorflow_cannot_decode_pillow_does(monkeypatch):
    def refuse(*args, **kwargs):
        raise tf.errors.InvalidArgumentError(None, None, "refused")

    monkeypatch.setattr(tf.io, "decode_and_crop_jpeg", refuse)
    content, corner = jpeg(), (slice(0, 32), slice(0, 32))
    part = read_image(io.BytesIO(content), window=lambda *shape: corner)
    np.testing.assert_array_equal(part, read_image(io.BytesIO(content))[:32, :32])


def test_every_source_gives_parts(image_folder, darker_folder, tmp_path):
    def window(height, width):
        return slice(2, height - 1), slice(5, 9)

    folder = open_source(f"folder:{image_folder}", TRAINING)
    pairs = open_source(f"pairs:{image_folder},{darker_folder}", TRAINING)
    joined = open_source(f"folder:{image_folder},{image_folder}", TRAINING)
    photos = open_source("photos", TRAINING)
    for source in (folder, joined, photos, Selection(folder, [3, 1, 2]), Cached(folder)):
        np.testing.assert_array_equal(source.load_part(2, window), source.load(2)[2:-1, 5:9])
    for source in (pairs, Cached(pairs)):
        for part, whole in zip(source.load_part(2, window), source.load(2), strict=True):
            np.testing.assert_array_equal(part, whole[2:-1, 5:9])


def test_in_a_batch_every_image_has_the_noise_it_would_have_alone():
    images = np.zeros((3, 8, 9, 2), np.float32)
    seeds = [[5, 0], [5, 1], [5, 7]]
    together = add_gaussian_noise(images, 0.1, seeds)
    for index, seed in enumerate(seeds):
        alone = add_gaussian_noise(images[index], 0.1, seed)
        np.testing.assert_array_equal(together[index], alone)
