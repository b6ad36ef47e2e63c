"""Pairs as they lie in folders, and pairs that are none."""

import shutil

import numpy as np
import pytest
from PIL import Image

from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.physics.kernels import gaussian
from inversenet_tf.imaging.physics.operators import Blur


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(path)


@pytest.fixture
def gopro(tmp_path):
    """Two scenes of two frames each, as GoPro's data set has them."""
    generator = np.random.default_rng(0)
    for scene in ("GOPR0372_07_00", "GOPR0384_11_01"):
        for frame in ("000001.png", "000002.png"):
            sharp = np.clip(generator.random((1, 24, 32, 3)), 0, 1).astype(np.float32)
            blurred = np.clip(Blur(gaussian(5, 1.0))(sharp), 0, 1)
            for folder, image in {"sharp": sharp, "blur": blurred, "blur_gamma": blurred}.items():
                save(tmp_path / "train" / scene / folder / frame, image[0])
    return tmp_path / "train"


@pytest.fixture
def sides(gopro, tmp_path):
    """One scene's (sharp, degraded) folders."""
    return tuple(gopro / "GOPR0372_07_00" / side for side in ("sharp", "blur"))


def test_gopros_layout_is_used_as_it_is(gopro, warned):
    source = open_source(f"pairs:{gopro}", TRAINING)
    assert source.paired and source.names[0] == "GOPR0372_07_00/000001" and len(source) == 4
    sharp, degraded = source.load(0)
    assert np.var(degraded) < 0.5 * np.var(sharp)
    scene = open_source(f"pairs:{gopro / 'GOPR0384_11_01'}", TRAINING)
    assert scene.names == ["000001", "000002"]
    assert not warned()


def test_a_scene_without_partners_is_named(gopro):
    (gopro / "GOPR0384_11_01" / "blur" / "000002.png").unlink()
    with pytest.raises(ValueError, match="1 without a partner, the first: GOPR0384_11_01/000002"):
        open_source(f"pairs:{gopro}", TRAINING)
    with pytest.raises(ValueError, match="Expected SCENE/sharp and SCENE/blur .* Received: none"):
        open_source(f"pairs:{gopro / 'GOPR0372_07_00' / 'blur_gamma'}", TRAINING)


def test_a_folder_with_itself_is_refused(sides, tmp_path):
    sharp, _ = sides
    (tmp_path / "link").symlink_to(sharp)
    for other in (sharp, f"{sharp}/", tmp_path / "link"):
        with pytest.raises(ValueError, match="as both"):
            open_source(f"pairs:{sharp},{other}", TRAINING)


def test_equal_sides_are_refused_and_equal_pairs_counted(sides, tmp_path, warned):
    sharp, degraded = sides
    shutil.copytree(sharp, tmp_path / "copy")
    with pytest.raises(ValueError, match="2 pairs each hold the same image twice"):
        open_source(f"pairs:{sharp},{tmp_path / 'copy'}", TRAINING)
    shutil.copy(degraded / "000002.png", tmp_path / "copy" / "000002.png")
    open_source(f"pairs:{sharp},{tmp_path / 'copy'}", TRAINING)
    assert "in 1 of 2 pairs both images are the same, the first: 000001" in warned()


def test_swapped_sides_are_warned_of(sides, warned):
    sharp, degraded = sides
    open_source(f"pairs:{sharp},{degraded}", TRAINING)
    assert not warned()
    open_source(f"pairs:{degraded},{sharp}", TRAINING)
    assert "the degraded images are sharper" in warned()
