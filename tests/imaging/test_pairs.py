import dataclasses

import numpy as np
import pytest
from absl import logging

from inversenet_tf.imaging.config import DataConfig, NoiseConfig
from inversenet_tf.imaging.datasets import TRAINING, ImageSource, open_source
from inversenet_tf.imaging.kernels import linear_motion
from inversenet_tf.imaging.operators import Blur, Identity
from inversenet_tf.imaging.pairs import center_crop, draw_patch, evaluation_pairs, training_pairs

RANDOM = DataConfig(size=32, crop="random", augmentation="flip")
NOISE = NoiseConfig(gaussian_sigma=0.05)


@pytest.fixture
def folder(image_folder):
    return open_source(f"folder:{image_folder}", TRAINING)


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def batches(source, **kwargs):
    return training_pairs(source, Blur(linear_motion(5)), NOISE, RANDOM, batch_size=4, **kwargs)


def test_a_stream_is_fixed_by_its_seed_and_resumes_anywhere(folder):
    whole = take(batches(folder, seed=1), 5)
    again = take(batches(folder, seed=1), 5)
    resumed = take(batches(folder, seed=1, start=3), 2)
    for expected, found in zip(whole + whole[3:], again + resumed, strict=True):
        np.testing.assert_array_equal(expected, found)
    assert np.abs(whole[0][1] - take(batches(folder, seed=2), 1)[0][1]).max() > 0.1


def test_batches_have_their_shape_and_measurements_belong_to_images(folder):
    pairs = training_pairs(
        folder, Blur(linear_motion(5)), NoiseConfig(eight_bit=False), RANDOM, batch_size=4, seed=0
    )
    measurements, images = take(pairs, 1)[0]
    assert measurements.shape == images.shape == (4, 32, 32, 3)
    assert measurements.dtype == images.dtype == np.float32
    np.testing.assert_allclose(measurements, Blur(linear_motion(5))(images), atol=1e-5)


def test_measurements_are_stored_in_8_bits_before_noise(folder):
    quiet = training_pairs(folder, Identity(), NoiseConfig(), RANDOM, batch_size=4, seed=0)
    measurements = take(quiet, 1)[0][0] * 255
    np.testing.assert_allclose(measurements, np.round(measurements), atol=1e-3)
    noisy = training_pairs(folder, Identity(), NOISE, RANDOM, batch_size=4, seed=0)
    measurements, images = take(noisy, 1)[0]
    assert (measurements - images).std() == pytest.approx(0.05, rel=0.05)


def test_every_epoch_shows_every_image_once_in_another_order(folder):
    data = DataConfig(size=32)
    first = [draw_patch(folder, data, 0, p)[0] for p in range(12)]
    crops = [center_crop(folder.load(i), 32) for i in range(6)]
    orders = [[next(i for i, c in enumerate(crops) if np.array_equal(c, p)) for p in part]
              for part in (first[:6], first[6:])]  # fmt: skip
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(6))
    assert orders[0] != orders[1]


def test_random_patches_vary_in_scale_place_and_flip():
    class Ramp(ImageSource):
        def load(self, index):
            ramp = np.linspace(0, 1, 200, dtype=np.float32)
            return np.broadcast_to(ramp[None, :, None], (200, 200, 3))

    source = Ramp("ramp", ["ramp"])
    data = dataclasses.replace(RANDOM, min_scale=0.5)
    patches = [draw_patch(source, data, 0, p)[0] for p in range(100)]
    sides = {patch.shape[0] for patch in patches}
    assert min(sides) >= 32 and max(sides) <= 64 and len(sides) > 10
    rising = sum(patch[0, -1, 0] > patch[0, 0, 0] for patch in patches)
    assert 25 < rising < 75
    turned = dataclasses.replace(data, augmentation="dihedral")
    down = sum(
        abs(patch[-1, 0, 0] - patch[0, 0, 0]) > 0
        for patch in (draw_patch(source, turned, 0, p)[0] for p in range(100))
    )
    assert 25 < down < 75
    stream = training_pairs(source, Identity(), NOISE, data, batch_size=8, seed=0)
    assert take(stream, 1)[0][1].shape == (8, 32, 32, 3)


def test_a_central_crop_may_be_larger_than_the_patch(folder):
    data = DataConfig(size=16, crop_size=32)
    streams = [
        training_pairs(folder, Identity(), NOISE, data, batch_size=6, seed=0),
        evaluation_pairs(folder, Identity(), NOISE, data, batch_size=6, seed=0),
    ]
    crops = np.stack([center_crop(folder.load(i), 32) for i in range(6)])
    means = crops.reshape(6, 16, 2, 16, 2, 3).mean((2, 4))
    for stream in streams:
        images = take(stream, 1)[0][1]
        assert images.shape == (6, 16, 16, 3)
        distances = np.abs(images[:, None] - means[None]).mean((2, 3, 4))
        assert sorted(distances.argmin(axis=1)) == list(range(6))
        assert distances.min(axis=1).max() < 0.1


def test_an_image_that_spoils_in_mid_training_is_skipped_by_name(folder, image_folder, caplog):
    (image_folder / "3.png").write_bytes(b"spoilt")
    logging.use_python_logging(quiet=True)
    with caplog.at_level("WARNING"):
        found = take(batches(folder, seed=1), 3)
    assert len(found) == 3
    assert "3.png" in caplog.text


def test_evaluation_covers_every_image_once_in_order(folder):
    data = DataConfig(size=32)
    found = take(evaluation_pairs(folder, Identity(), NOISE, data, batch_size=4, seed=0), 9)
    assert [len(images) for _, images in found] == [4, 2]
    images = np.concatenate([images for _, images in found])
    for index in range(6):
        np.testing.assert_array_equal(images[index], center_crop(folder.load(index), 32))
    limited = evaluation_pairs(folder, Identity(), NOISE, data, batch_size=4, seed=0, limit=3)
    assert [len(images) for _, images in take(limited, 9)] == [3]


def test_whole_images_come_one_by_one():
    data = DataConfig(evaluation_crop="whole")
    source = open_source("photos@held_out", TRAINING)
    found = take(evaluation_pairs(source, Identity(), NoiseConfig(), data, batch_size=8, seed=0), 9)
    assert [images.shape for _, images in found] == [(1, 300, 451, 3), (1, 400, 600, 3)]


def test_pairs_of_the_user_are_cropped_together(image_folder):
    source = open_source(f"pairs:{image_folder},{image_folder}", TRAINING)
    stream = training_pairs(source, None, None, RANDOM, batch_size=4, seed=0)
    whole_crop = dataclasses.replace(RANDOM, crop_size=40)
    held_out = evaluation_pairs(source, None, None, whole_crop, batch_size=4, seed=0)
    for measurements, images in take(stream, 3) + take(held_out, 1):
        assert images.shape == (4, 32, 32, 3)
        np.testing.assert_array_equal(measurements, images)
