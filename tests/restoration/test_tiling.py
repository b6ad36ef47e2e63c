import sys

import keras
import numpy as np
import pytest
from fake_restorers import FakeRestorer
from programs import completed

from inversenet_tf import load
from inversenet_tf.imaging.files.pixels import from_integers, to_integers
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.linear_light import LinearLightRestorer
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.tiling import (
    OVERLAP,
    axis_of,
    overlap_of,
    restore_pixels,
    tile_shape,
)

MIB = 2**20


def restorer_of(multiple=4, scale=1, boundary="reflect", channels=3):
    """Of three strided convolutions of random weights: it sees some 30 pixels far."""

    class Strided(keras.Model):
        @property
        def multiple(self):
            return multiple

    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(8, 5, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(8, 7, multiple, padding="same", activation="relu")(x)
    x = keras.layers.Conv2DTranspose(channels, 6, multiple, padding="same", activation="tanh")(x)
    return ModelRestorer(InverseNet(Strided(inputs, x), scale=scale, boundary=boundary))


@pytest.fixture
def photograph():
    generator = np.random.default_rng(0)

    def pixels(height, width, dtype=np.uint16, channels=3):
        return generator.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, True)

    return pixels


@pytest.mark.parametrize("size", [(300, 517), (203, 900), (641, 201)])
@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_tiles_make_what_the_whole_is(photograph, size, boundary, monkeypatch):
    restorer = restorer_of(boundary=boundary)
    pixels = photograph(*size)
    whole = restorer.estimates(from_integers(pixels)[None])["restored"][0]
    monkeypatch.setattr(
        "inversenet_tf.restoration.tiling.tile_shape",
        lambda padded, *_: tuple(min(n, 208) for n in padded),
    )
    tiled = restore_pixels(restorer, pixels, max_memory=1)
    assert tiled.shape == pixels.shape and tiled.dtype == np.uint16
    np.testing.assert_allclose(from_integers(tiled), whole, atol=2e-5)


def test_tiles_of_what_is_upsampled(photograph, monkeypatch):
    restorer = restorer_of(multiple=4, scale=2)
    pixels = photograph(150, 331)
    whole = restorer.estimates(from_integers(pixels)[None])["restored"][0]
    monkeypatch.setattr("inversenet_tf.restoration.tiling.tile_shape", lambda *_: (120, 128))
    tiled = restore_pixels(restorer, pixels, max_memory=1)
    assert tiled.shape == (300, 662, 3)
    np.testing.assert_allclose(from_integers(tiled), whole, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_that_fits_is_restored_whole(photograph, dtype):
    pixels, restorer = photograph(37, 53, dtype), FakeRestorer(gain=0.5)
    for limit in (None, 10 * MIB):
        restored = restore_pixels(restorer, pixels, limit)
        np.testing.assert_array_equal(restored, to_integers(from_integers(pixels) * 0.5, dtype))
    assert restorer.shapes == [(1, 37, 53, 3)] * 2


def test_a_large_image_is_restored_in_tiles_of_one_size(photograph):
    pixels, restorer = photograph(700, 900, np.uint8), FakeRestorer()
    np.testing.assert_array_equal(restore_pixels(restorer, pixels, 24 * MIB), pixels)
    assert len(restorer.shapes) > 1 and len(set(restorer.shapes)) == 1


@pytest.mark.parametrize(("mebibytes", "most_work"), [(272, 7), (519, 1.5), (1024, 1.25)])
def test_tiles_fit_and_make_little_work(mebibytes, most_work):
    spec, (rows, columns) = ImageSpec(3, 3, 1, 64, "circular", 250.0), (3008, 4032)
    height, width = tile_shape((rows, columns), spec, mebibytes * MIB, bytes_per_value=1)
    assert height % 64 == width % 64 == 0
    images = 3 * 6 * rows * columns
    assert images + 36 * columns * height + 250 * height * width <= mebibytes * MIB
    tiles = [len(axis_of(n, side, 64, 1).starts) for n, side in ((rows, height), (columns, width))]
    assert tiles[0] * tiles[1] * height * width < most_work * rows * columns


def test_what_fits_along_one_side_is_not_cut_there():
    spec = ImageSpec(3, 3, 1, 64, "circular", 250.0)
    assert tile_shape((640, 640), spec, 1024 * MIB, 1) == (640, 640)
    height, width = tile_shape((64, 20_032), spec, 140 * MIB, 1)
    assert height == 64 and width > 4000


def test_too_little_memory_is_told():
    spec = ImageSpec(3, 3, 1, 64, "circular", 250.0)
    with pytest.raises(ValueError, match="at least .* MiB for an image of 3008x4032.*: 100 MiB"):
        tile_shape((3008, 4032), spec, 100 * MIB, 1)


def test_tiles_of_a_large_kernel_overlap_more_and_take_more_memory(photograph):
    assert overlap_of(1, 1) == overlap_of(1, 1, kernel_side=9) == OVERLAP
    assert overlap_of(64, 1, kernel_side=41) == 384 and overlap_of(1, 2, kernel_side=41) == 164
    spec = ImageSpec(3, 3, 1, 1, "reflect", 250.0)
    small, large = (tile_shape((700, 900), spec, 64 * MIB, 1, side) for side in (1, 41))
    assert 250 * (large[0] + 80) * (large[1] + 80) < 64 * MIB
    assert np.prod(large) < np.prod(small)
    told = FakeRestorer()
    told.kernel_side = 41
    pixels = photograph(500, 600, np.uint8)
    np.testing.assert_array_equal(restore_pixels(told, pixels, 34 * MIB), pixels)
    assert len(told.shapes) > 1
    assert min(min(shape[1:3]) for shape in told.shapes) > 328


def test_a_kernel_that_was_told_counts_around_other_restorers():
    told = LinearLightRestorer(load("closed_form"), 2.2).told(np.ones((5, 41)))
    assert told.kernel_side == 41 and load("closed_form").kernel_side == 1
    with pytest.raises(ValueError, match="of at least 329x329 pixels, for a kernel of 41 pixels"):
        restore_pixels(told, np.zeros((900, 900, 3), np.uint8), 30 * MIB)


@pytest.mark.parametrize("multiple", [1, 16, 64, 256])
@pytest.mark.parametrize("scale", [1, 4])
def test_tiles_cover_an_axis_and_their_weights_sum_to_one(multiple, scale):
    side = overlap_of(multiple, scale) + multiple
    size = side + 5 * multiple
    axis = axis_of(size, side, multiple, scale)
    total = np.zeros(size * scale)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        assert start % multiple == 0 and (weights >= 0).all()
        total[start * scale : (start + side) * scale] += weights
        reach = int(OVERLAP / 4)
        assert start == 0 or (weights[:reach] == 0).all()
        assert start + side == size or (weights[-reach:] == 0).all()
    np.testing.assert_allclose(total, 1.0, rtol=1e-6)


MEMORY = """
from pathlib import Path

import numpy as np
from inversenet_tf.config import Config
from inversenet_tf.restoration.footprint import resident_bytes
from inversenet_tf.models.build import build_model
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.tiling import restore_pixels

config = Config()
config.network.depth = 3
restorer = ModelRestorer(build_model(config, with_discriminator=False))
for _ in range(2):  # the first small image is restored without compiling, the second compiles
    restorer.estimates(np.zeros((1, 64, 64, 3), np.float32))
restorer.spec
idle, _ = resident_bytes()
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of what came before
for limit in ({limit}, None):
    restore_pixels(restorer, np.zeros((1400, 1800, 3), np.uint8), limit)
    print(resident_bytes()[1] - idle)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak as Linux counts it")
def test_memory_stays_within_its_limit(tmp_path):
    """Of 2.5 megapixels, which take more where they are restored whole."""
    (tmp_path / "memory.py").write_text(MEMORY.format(limit=200 * MIB))
    done = completed([tmp_path / "memory.py"])
    assert done.returncode == 0, done.stderr
    limited, whole = map(int, done.stdout.split())
    assert limited < 200 * MIB < whole
