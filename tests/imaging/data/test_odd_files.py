"""Files as they lie in real folders: each is classified correctly, or skipped by its name."""

import numpy as np
import pytest
import skimage.data
from absl import logging
from PIL import Image

from inversenet_tf.imaging.config import DataConfig
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.packing import prepare
from inversenet_tf.imaging.data.patches import draw_patch
from inversenet_tf.imaging.files.pixels import from_integers
from inversenet_tf.training import train

PHOTOGRAPH = skimage.data.chelsea()[60:180, 100:260]  # the cat's face, 120 x 160
EXIF_ORIENTATION = 0x0112
SIDE = 16
SKIPPED = ["empty.jpg", "one_pixel.png", "text.png", "truncated.jpg"]
FORMS = ["folder", "prepared"]


def to_cmyk(pixels):
    """Inks as a printer takes them, black first: R = (1 - C) (1 - K), and so for G and B."""
    image = pixels / 255
    black = 1 - image.max(-1, keepdims=True)
    inks = (1 - image - black) / np.maximum(1 - black, 1e-9)
    return np.round(255 * np.concatenate([inks, black], -1)).astype(np.uint8)


def frames():
    """Of a film whose later frames are unlike its first."""
    return [Image.new("P", (40, 30), color) for color in (1, 2, 3)]


@pytest.fixture
def odd_folder(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    good = Image.fromarray(PHOTOGRAPH)
    good.save(folder / "good.png")
    good.save(folder / "good.jpg", quality=95)
    content = (folder / "good.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no image")
    Image.fromarray(to_cmyk(PHOTOGRAPH), "CMYK").save(folder / "cmyk.jpg", quality=95)
    Image.fromarray(deep_pixels()).save(folder / "deep.png")
    Image.fromarray(np.dstack([PHOTOGRAPH, alpha()])).save(folder / "transparent.png")
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # the camera was held so that the scene is to be turned clockwise
    lying = Image.fromarray(np.rot90(PHOTOGRAPH))
    lying.save(folder / "turned.jpg", exif=exif, quality=95)
    first, *others = frames()
    first.putpalette([0, 0, 0, 200, 30, 90, 255, 255, 255, 0, 255, 0])
    for frame in others:
        frame.putpalette(first.getpalette())
    first.save(folder / "film.gif", save_all=True, append_images=others)
    Image.new("RGB", (1, 1), (255, 0, 51)).save(folder / "one_pixel.png")
    Image.fromarray(strip()).save(folder / "strip.png")
    return folder


def deep_pixels():
    """16 bits, each pixel one level above its left neighbour."""
    return np.arange(32 * 40, dtype=np.uint16).reshape(32, 40) + 30_000


def alpha():
    return np.linspace(0, 255, 120 * 160).astype(np.uint8).reshape(120, 160)


def strip():
    """20,000 pixels wide and 20 high."""
    ramp = np.arange(20_000) % 251
    return np.stack([ramp, 250 - ramp, ramp // 2], -1).astype(np.uint8)[None].repeat(20, 0)


def gray(values):
    return values[..., None].repeat(3, -1)


EXPECTED = {  # name: (image, greatest mean and single difference)
    "cmyk.jpg": (from_integers(PHOTOGRAPH), 0.015, 0.15),
    "deep.png": (gray(deep_pixels() / 65_535), 1e-7, 1e-7),
    "film.gif": (np.tile(from_integers(np.uint8([200, 30, 90])), (30, 40, 1)), 0, 0),
    "good.jpg": (from_integers(PHOTOGRAPH), 0.015, 0.15),
    "good.png": (from_integers(PHOTOGRAPH), 0, 0),
    "strip.png": (from_integers(strip()), 0, 0),
    "transparent.png": (from_integers(PHOTOGRAPH), 0, 0),
    "turned.jpg": (from_integers(PHOTOGRAPH), 0.015, 0.15),
}


def spec_of(form, folder):
    if form == "folder":
        return f"folder:{folder}"
    prepare(f"folder:{folder}", folder.parent / "prepared")
    return f"prepared:{folder.parent / 'prepared'}"


@pytest.mark.parametrize("form", FORMS)
def test_each_is_read_rightly_or_skipped_by_name(odd_folder, form, caplog):
    spec = spec_of(form, odd_folder)
    logging.use_python_logging(quiet=True)
    caplog.clear()
    with caplog.at_level("WARNING"):
        source = open_source(spec, TRAINING, minimum_side=SIDE)
    assert source.names == sorted(EXPECTED)
    for name in SKIPPED:
        assert sum(name in record.getMessage() for record in caplog.records) == 1, name
    assert "8 images used, 4 skipped" in caplog.text
    for index, name in enumerate(source.names):
        image = source.load(index)
        expected, mean, most = EXPECTED[name]
        assert image.shape == expected.shape and image.dtype == np.float32, name
        difference = np.abs(image - expected)
        assert difference.mean() <= mean and difference.max() <= most, name


@pytest.mark.parametrize("form", FORMS)
def test_one_pixel_is_an_image_for_who_asks_for_no_more(odd_folder, form):
    source = open_source(spec_of(form, odd_folder), TRAINING)
    image = source.load(source.names.index("one_pixel.png"))
    np.testing.assert_allclose(image, [[[1, 0, 0.2]]], atol=1e-7)


def test_every_part_of_a_long_strip_serves(odd_folder, tmp_path):
    (tmp_path / "alone").mkdir()
    (odd_folder / "strip.png").rename(tmp_path / "alone" / "strip.png")
    source = open_source(f"folder:{tmp_path / 'alone'}", TRAINING, minimum_side=SIDE)
    data = DataConfig(size=SIDE, crop="random")
    patches = [draw_patch(source, data, 0, position)[0] for position in range(40)]
    assert {patch.shape for patch in patches} == {(SIDE, SIDE, 3)}
    assert len({patch.tobytes() for patch in patches}) > 30


@pytest.mark.parametrize("form", FORMS)
def test_a_training_runs_on_them(odd_folder, bare_config, tmp_path, form):
    bare_config.data.train = bare_config.data.validation = spec_of(form, odd_folder)
    bare_config.data.size = SIDE
    bare_config.training.batch_size = 8  # all eight images in each step
    bare_config.training.steps = bare_config.training.steps_per_epoch = 2
    model = train(bare_config, tmp_path / "run")
    assert model.step == 2
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
