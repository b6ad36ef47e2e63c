"""Validation images that were trained on are counted, whatever path leads to them."""

import shutil

import numpy as np
import pytest
from PIL import Image

from inversenet_tf.imaging.data.cache import Cached
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.overlap import warn_of_overlap
from inversenet_tf.imaging.data.sources import Selection


@pytest.fixture
def photos(tmp_path):
    """Four images, of which two lie in `held_out`."""
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.png", "held_out/c.png", "held_out/d.png"):
        (tmp_path / "photos" / name).parent.mkdir(exist_ok=True, parents=True)
        pixels = generator.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def overlap(training, held_out, kind="folder"):
    sources = [
        open_source(f"{kind}:{place}", role)
        for place, role in ((training, TRAINING), (held_out, HELD_OUT))
    ]
    return warn_of_overlap(*sources)


def test_a_subfolder(photos, warned):
    assert overlap(photos, photos / "held_out") == 2
    assert "2 of the 2 validation images are among the training images" in warned()
    assert overlap(photos / "held_out", photos) == 2
    assert "2 of the 4 validation images" in warned()


def test_the_same_folder_by_another_path_or_link(photos, warned):
    (photos.parent / "link").symlink_to(photos)
    for other in (photos / "held_out" / "..", photos.parent / "link", f"{photos}/"):
        assert overlap(photos, other) == 4
    assert overlap(photos, f"{photos / 'held_out'},{photos.parent / 'link' / 'held_out'}") == 4


def test_the_same_content_under_another_name(photos, tmp_path, warned):
    (tmp_path / "others").mkdir()
    shutil.copy(photos / "a.png", tmp_path / "others" / "x.png")
    shutil.copy(photos / "b.png", tmp_path / "others" / "y.png")
    (tmp_path / "others" / "y.png").write_bytes(
        (photos / "b.png").read_bytes() + b"what comes after the end of a PNG"
    )
    assert overlap(photos, tmp_path / "others") == 1
    assert "the first:" in warned() and "x.png" in warned()


def test_other_images_are_not_warned_of(photos, tmp_path, warned):
    shutil.move(photos / "held_out", tmp_path / "held_out")
    assert overlap(photos, tmp_path / "held_out") == 0
    assert not warned()


def test_sources_made_of_others_know_their_files(photos):
    source = open_source(f"folder:{photos}", TRAINING)
    assert len(source.files) == 4
    assert Cached(source).files == source.files
    assert Selection(source, [2, 0]).files == [source.files[2], source.files[0]]
