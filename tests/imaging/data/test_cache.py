import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from absl import logging
from PIL import Image

from inversenet_tf.imaging.config import DataConfig, NoiseConfig
from inversenet_tf.imaging.data import cache
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.pairs import training_pairs
from inversenet_tf.imaging.data.sources import ImageSource
from inversenet_tf.imaging.files import memory
from inversenet_tf.imaging.files.images import ImageReadError
from inversenet_tf.imaging.physics.operators import Identity

MIB = 2**20


class Counting(ImageSource):
    """Counts how often each image of another source is loaded."""

    def __init__(self, source):
        super().__init__(source.spec, source.names)
        self.paired = source.paired
        self.counts = [0] * len(source)
        self._source = source

    def load(self, index):
        self.counts[index] += 1
        return self._source.load(index)


@pytest.fixture
def counting(image_folder):
    return Counting(open_source(f"folder:{image_folder}", TRAINING))


def test_images_are_loaded_once_and_keep_their_bits(counting):
    source = cache.Cached(counting)
    assert source.spec == counting.spec and source.names == counting.names
    assert not source.paired and source.labels is None and len(source) == 6
    for _ in range(3):
        for index in (4, 1):
            image = source.load(index)
            assert image.dtype == np.float32
            np.testing.assert_array_equal(image, counting._source.load(index))
    assert counting.counts == [0, 1, 0, 0, 1, 0]
    assert [kept is None for kept in source._kept] == [True, False, True, True, False, True]
    assert source._kept[1][0].dtype == np.uint8


def test_every_level_of_eight_bits_survives(tmp_path):
    Image.fromarray(np.arange(256, dtype=np.uint8)[None]).save(tmp_path / "levels.png")
    source = cache.Cached(open_source(f"folder:{tmp_path}", TRAINING, channels=1))
    once, again = source.load(0), source.load(0)
    assert source._kept[0][0].dtype == np.uint8
    expected = open_source(f"folder:{tmp_path}", TRAINING, channels=1).load(0)
    assert once.tobytes() == again.tobytes() == expected.tobytes()


def test_sixteen_bits_survive(tmp_path):
    deep = np.array([[0, 1, 40_000, 65_535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    source = cache.Cached(open_source(f"folder:{tmp_path}", TRAINING))
    for _ in range(2):
        np.testing.assert_array_equal(source.load(0)[0, :, 1], (deep[0] / 65_535).astype("f4"))
    assert source._kept[0][0].dtype == np.float32


def test_who_changes_an_image_does_not_change_the_kept_one(counting, tmp_path):
    digits = open_source("digits", HELD_OUT, channels=1)  # kept as float32
    for source in (cache.Cached(counting), cache.Cached(digits)):
        for _ in range(2):
            source.load(0)[:] = 7
        assert source.load(0).max() <= 1


def test_pairs_and_labels_are_kept(image_folder, darker_folder):
    spec = f"pairs:{image_folder},{darker_folder}"
    counting = Counting(open_source(spec, TRAINING))
    source = cache.Cached(counting)
    assert source.paired
    for _ in range(2):
        image, measurement = source.load(2)
        np.testing.assert_array_equal(image, counting._source.load(2)[0])
        np.testing.assert_allclose(measurement, image / 2, atol=0.51 / 255)
    assert counting.counts[2] == 1
    digits = open_source("digits", HELD_OUT)
    np.testing.assert_array_equal(cache.Cached(digits).labels, digits.labels)


def test_a_training_draws_the_same_batches(counting):
    data = DataConfig(size=32, crop="random", augmentation="flip")
    streams = [
        training_pairs(source, Identity(), NoiseConfig(), data, batch_size=4, seed=0).take(3)
        for source in (counting._source, cache.Cached(counting))
    ]  # two epochs of six images
    for one, other in zip(*(stream.as_numpy_iterator() for stream in streams), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_threads_may_share_it(counting):
    expected = [counting._source.load(index) for index in range(6)]
    source = cache.Cached(counting)
    together = threading.Barrier(8)

    def load(index):
        together.wait()
        return source.load(index)

    indices = [index for index in range(6) for _ in range(8)]  # eight threads want each at once
    with ThreadPoolExecutor(8) as pool:
        for index, image in zip(indices, pool.map(load, indices), strict=True):
            np.testing.assert_array_equal(image, expected[index])


class Sized(ImageSource):
    """Image i has 10 x (1 + i) pixels; those in `broken` cannot be read."""

    def __init__(self, count, broken=()):
        super().__init__("sized", [str(index) for index in range(count)])
        self.loaded = []
        self._broken = broken

    def load(self, index):
        self.loaded.append(int(index))
        if index in self._broken:
            raise ImageReadError(f"Cannot read {index}")
        return np.zeros((10, 1 + index, 3), np.float32)


def test_memory_is_estimated_from_evenly_spaced_images():
    source = Sized(1001)
    assert cache.decoded_bytes(source, sample=5) == 1001 * 30 * 501
    assert source.loaded == [0, 250, 500, 750, 1000]
    few = Sized(3)
    assert cache.decoded_bytes(few) == 30 * (1 + 2 + 3)
    assert few.loaded == [0, 1, 2]


def test_pairs_take_twice_the_memory(image_folder, darker_folder):
    paired = open_source(f"pairs:{image_folder},{darker_folder}", TRAINING)
    assert cache.decoded_bytes(paired) == 6 * 2 * 40 * 48 * 3


def test_unreadable_images_do_not_hinder_the_estimate():
    assert cache.decoded_bytes(Sized(3, broken=[1])) == 30 * 2 * 3
    with pytest.raises(ImageReadError, match="Cannot read"):
        cache.decoded_bytes(Sized(3, broken=range(3)))


@pytest.fixture
def available(monkeypatch):
    """A function that sets how many MiB of memory are available."""

    def set_available(mib):
        memory = SimpleNamespace(available=mib * MIB)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)

    return set_available


class Large(ImageSource):
    """100 images of 3 MiB."""

    def __init__(self):
        super().__init__("large", [str(index) for index in range(100)])

    def load(self, index):
        return np.ones((1024, 1024, 3), np.float32)


def test_what_fits_is_cached_and_said(available, caplog):
    available(600)
    logging.use_python_logging(quiet=True)
    with caplog.at_level("INFO", logger="absl"):
        source = cache.cached(Large())
    assert isinstance(source, cache.Cached) and source.spec == "large"
    assert "Caching large: about 300 MiB decoded." in caplog.text


def test_what_does_not_fit_is_refused(available):
    available(598)
    with pytest.raises(ValueError, match="at most 299 MiB.* Received: large of about 300 MiB"):
        cache.cached(Large())


def test_the_limit_of_a_container_counts(available, tmp_path, monkeypatch):
    available(10_000)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{700 * MIB}")
    (tmp_path / "memory.current").write_text(f"{102 * MIB}")
    with pytest.raises(ValueError, match="at most 299 MiB"):
        cache.cached(Large())
