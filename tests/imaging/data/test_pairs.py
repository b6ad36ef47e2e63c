import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from inversenet_tf.imaging.config import DataConfig, NoiseConfig
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.pairs import (
    ONE_PROCESS,
    evaluation_images,
    evaluation_pairs,
    read_pairs,
    training_images,
    training_pairs,
)
from inversenet_tf.imaging.data.patches import center_window, draw_patch
from inversenet_tf.imaging.data.sources import ImageSource, sample_of, spread_over
from inversenet_tf.imaging.files.images import ImageReadError
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.operators import (
    Blur,
    Compose,
    Downsampling,
    Identity,
    SpectralMean,
)

RANDOM = DataConfig(size=32, crop="random", augmentation="flip")
NOISE = NoiseConfig(gaussian_sigma=0.05)
JOINT = Compose(Blur(linear_motion(5)), Downsampling(4), SpectralMean())


def center_crop(image, size):
    return image[center_window(*image.shape[:2], size)]


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
    for expected, batch in zip(whole + whole[3:], again + resumed, strict=True):
        np.testing.assert_array_equal(expected, batch)
    assert np.abs(whole[0][1] - take(batches(folder, seed=2), 1)[0][1]).max() > 0.1


def joined(make, workers, replicas_of_each):
    """What several workers' replicas are given in each step, put together.

    Args:
        make: function from a `tf.distribute.InputContext` to a dataset.
        workers, replicas_of_each: how many.
    """
    contexts = [
        tf.distribute.InputContext(workers, index, workers * replicas_of_each)
        for index in range(workers)
    ]
    parts = [take(make(context), 3 * replicas_of_each) for context in contexts]
    steps = []
    for step in range(3):
        own = slice(step * replicas_of_each, (step + 1) * replicas_of_each)
        replicas = [replica for part in parts for replica in part[own]]
        steps.append([np.concatenate(arrays) for arrays in zip(*replicas, strict=True)])
    return steps


@pytest.mark.parametrize(
    ("workers", "replicas", "start"), [(1, 4, 0), (2, 1, 3), (2, 2, 0), (4, 1, 3)]
)
def test_replicas_of_all_workers_share_the_batch_of_one(folder, workers, replicas, start):
    """8 pairs of 6 images a step, so that a step goes over an epoch's end."""

    def make(context):
        return training_pairs(
            folder,
            Blur(linear_motion(5)),
            NOISE,
            RANDOM,
            batch_size=8,
            seed=1,
            start=start,
            context=context,
        )

    whole = take(make(ONE_PROCESS), 3)
    for expected, batch in zip(whole, joined(make, workers, replicas), strict=True):
        for one, other in zip(expected, batch, strict=True):
            assert one.shape == (8, 32, 32, 3)
            np.testing.assert_array_equal(other, one)


def test_images_alone_are_shared_alike(folder):
    def make(context):
        return training_images(folder, RANDOM, batch_size=4, seed=1, start=2, context=context)

    pairs = training_pairs(folder, Identity(), NOISE, RANDOM, batch_size=4, seed=1, start=2)

    def alone(context):  # as tuples of one
        return make(context).map(lambda images: (images,))

    for (_, expected), [batch] in zip(take(pairs, 3), joined(alone, 2, 2), strict=True):
        np.testing.assert_array_equal(batch, expected)


@pytest.mark.parametrize(("workers", "limit"), [(1, None), (2, 5), (4, None), (4, 1)])
def test_workers_share_the_images_of_an_evaluation(folder, workers, limit):
    """Every one goes to one of them, whatever their number of replicas; some may have none."""

    def make(context):
        return evaluation_pairs(
            folder,
            Blur(linear_motion(5)),
            NOISE,
            DataConfig(size=32),
            batch_size=2,
            seed=0,
            limit=limit,
            context=context,
        )

    def pairs_of(dataset):
        """As bytes, so that they can be sorted."""
        batches = take(dataset, 9)
        assert all(len(images) <= 2 for _, images in batches)
        pairs = [pair for batch in batches for pair in zip(*batch, strict=True)]
        return [(image.tobytes(), measured.tobytes()) for measured, image in pairs]

    whole = pairs_of(make(ONE_PROCESS))
    assert len(whole) == (limit or 6)
    parts = [
        pairs_of(make(tf.distribute.InputContext(workers, index, 2 * workers)))
        for index in range(workers)
    ]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert sorted(pair for part in parts for pair in part) == sorted(whole)


def test_batches_have_their_shape_and_measurements_belong_to_images(folder):
    pairs = training_pairs(
        folder, Blur(linear_motion(5)), NoiseConfig(quantize=False), RANDOM, batch_size=4, seed=0
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
    orders = [
        [next(i for i, c in enumerate(crops) if np.array_equal(c, p)) for p in part]
        for part in (first[:6], first[6:])
    ]
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
        taken = take(batches(folder, seed=1), 3)
    assert len(taken) == 3
    assert "3.png" in caplog.text


def test_where_no_image_is_large_enough_the_last_one_says_so(folder):
    larger = dataclasses.replace(RANDOM, size=400)
    with pytest.raises(
        ValueError, match=r"none; the last one: .*png: Expected at least 400 pixels"
    ):
        draw_patch(folder, larger, 0, 0)


def test_evaluation_covers_every_image_once_in_order(folder):
    data = DataConfig(size=32)
    taken = take(evaluation_pairs(folder, Identity(), NOISE, data, batch_size=4, seed=0), 9)
    assert [len(images) for _, images in taken] == [4, 2]
    images = np.concatenate([images for _, images in taken])
    for index in range(6):
        np.testing.assert_array_equal(images[index], center_crop(folder.load(index), 32))
    limited = evaluation_pairs(folder, Identity(), NOISE, data, batch_size=4, seed=0, limit=3)
    assert [len(images) for _, images in take(limited, 9)] == [3]


def test_whole_images_come_one_by_one():
    data = DataConfig(evaluation_crop="whole")
    source = open_source("photos@held_out", TRAINING)
    taken = take(evaluation_pairs(source, Identity(), NoiseConfig(), data, batch_size=8, seed=0), 9)
    assert [images.shape for _, images in taken] == [(1, 300, 451, 3), (1, 400, 600, 3)]


def test_pairs_of_the_user_are_cropped_together(image_folder, darker_folder):
    source = open_source(f"pairs:{image_folder},{darker_folder}", TRAINING)
    stream = training_pairs(source, None, None, RANDOM, batch_size=4, seed=0)
    whole_crop = dataclasses.replace(RANDOM, crop_size=40)
    held_out = evaluation_pairs(source, None, None, whole_crop, batch_size=4, seed=0)
    for measurements, images in take(stream, 3) + take(held_out, 1):
        assert images.shape == (4, 32, 32, 3)
        np.testing.assert_allclose(measurements, images / 2, atol=0.51 / 255)


def test_measurements_may_be_smaller_and_grey(folder):
    quiet = NoiseConfig(quantize=False)
    streams = [
        training_pairs(folder, JOINT, quiet, RANDOM, batch_size=4, seed=0),
        evaluation_pairs(folder, JOINT, quiet, DataConfig(size=32), batch_size=4, seed=0),
    ]
    for stream in streams:
        assert stream.element_spec[0].shape.as_list()[1:] == [8, 8, 1]
        measurements, images = take(stream, 1)[0]
        assert measurements.shape == (4, 8, 8, 1)
        np.testing.assert_allclose(measurements, JOINT(images), atol=1e-5)


def test_whole_images_are_trimmed_to_the_scale():
    data = DataConfig(evaluation_crop="whole")
    source = open_source("photos@held_out", TRAINING)
    stream = evaluation_pairs(source, JOINT, NoiseConfig(), data, batch_size=8, seed=0)
    assert stream.element_spec[0].shape.as_list() == [None, None, None, 1]
    taken = take(stream, 9)
    assert [images.shape for _, images in taken] == [(1, 300, 448, 3), (1, 400, 600, 3)]
    assert [measured.shape for measured, _ in taken] == [(1, 75, 112, 1), (1, 100, 150, 1)]
    np.testing.assert_array_equal(taken[0][1][0], source.load(0)[:, :448])


@pytest.mark.parametrize("make_pairs", [training_pairs, evaluation_pairs])
def test_pairs_of_the_user_have_one_size(image_folder, darker_folder, make_pairs):
    source = open_source(f"pairs:{image_folder},{darker_folder}", TRAINING)
    with pytest.raises(ValueError, match="scale 1 with pairs.*Received: scale 4 with pairs:"):
        make_pairs(source, JOINT, NOISE, RANDOM, batch_size=4, seed=0)


class Damaged(ImageSource):
    """Four images, each of a gray of its own, of which the second cannot be read."""

    def __init__(self):
        super().__init__("damaged", ["0", "1", "2", "3"])

    def load(self, index):
        if index == 1:
            raise ImageReadError("Cannot read the image 1.png: it is truncated.")
        return np.full((40, 40, 3), index / 4, np.float32)


def test_the_next_image_stands_for_one_that_cannot_be_read(warned):
    images = evaluation_images(Damaged(), RANDOM, batch_size=4, skip_unreadable=True)
    assert next(images.as_numpy_iterator())[:, 0, 0, 0].tolist() == [0.0, 0.5, 0.5, 0.75]
    assert "Skipped: Cannot read the image 1.png" in warned()


def test_an_image_that_cannot_be_read_is_named_in_one_line():
    pairs = evaluation_pairs(Damaged(), Identity(), NOISE, RANDOM, batch_size=4, seed=0)
    with pytest.raises(ImageReadError, match=r"^Cannot read the image 1.png: it is truncated.$"):
        list(read_pairs(pairs))


@pytest.mark.parametrize("share", [0.8, 1.0])
def test_a_central_crop_may_be_a_share_of_the_image(folder, share):
    """Of 40 x 48 pixels, 0.8 is 32 and 1 the largest square; both are scaled down to 16."""
    data = DataConfig(size=16, crop_fraction=share)
    data.validate()
    side = round(40 * share)
    crops = np.stack([center_crop(folder.load(i), side) for i in range(6)])
    expected = tf.image.resize(crops, (16, 16), "bicubic", antialias=True)
    held_out = evaluation_pairs(folder, Identity(), NOISE, data, batch_size=6, seed=0)
    np.testing.assert_allclose(take(held_out, 1)[0][1], np.clip(expected, 0, 1), atol=1e-6)
    patches = [draw_patch(folder, data, 0, position)[0] for position in range(6)]
    assert {patch.shape for patch in patches} == {(side, side, 3)}


def test_a_share_of_images_of_any_resolution_is_the_same_part():
    """CelebA comes as 178 x 218 and halved; the face is the central 128 or 64 pixels."""
    data = DataConfig(size=64, crop_fraction=0.72)
    assert data.center_side((218, 178, 3)) == 128
    assert data.center_side((109, 89, 3)) == 64
    assert data.minimum_side == 89
    assert dataclasses.replace(data, padding=4).minimum_side == 81
    assert dataclasses.replace(data, crop_fraction=1.0).minimum_side == 64
    assert dataclasses.replace(data, crop_fraction=0.0, crop_size=128).minimum_side == 128


@pytest.mark.parametrize(
    "fields",
    [
        {"crop_fraction": 1.1},
        {"crop_fraction": -0.1},
        {"crop_fraction": float("nan")},
        {"crop_fraction": 0.5, "crop_size": 128},
        {"crop_fraction": 0.5, "train": "pairs:sharp,blurred"},
    ],
)
def test_impossible_shares_are_refused(fields):
    with pytest.raises(ValueError, match="data.crop_fraction"):
        DataConfig(**fields).validate()


@pytest.mark.parametrize("operator", [Blur(linear_motion(5)), JOINT])
def test_what_a_blur_takes_from_beyond_a_patch_is_there_with_a_margin(folder, operator):
    """A pair with a margin is the middle of a larger pair."""
    with_margin = dataclasses.replace(RANDOM, size=24, margin=4)
    quiet = NoiseConfig()
    larger = dataclasses.replace(RANDOM, size=32)
    patches, whole = (
        take(training_pairs(folder, operator, quiet, data, batch_size=2, seed=1), 2)
        for data in (with_margin, larger)
    )
    for (measurements, images), (around, all_of_them) in zip(patches, whole, strict=True):
        cut = 4 // operator.scale
        np.testing.assert_array_equal(images, all_of_them[:, 4:-4, 4:-4])
        np.testing.assert_array_equal(measurements, around[:, cut:-cut, cut:-cut])


def test_a_margin_asks_for_larger_images_and_random_patches():
    larger = dataclasses.replace(RANDOM, margin=4)
    assert larger.minimum_side == RANDOM.size + 8
    assert dataclasses.replace(larger, crop_size=RANDOM.size).minimum_side == RANDOM.size + 8
    assert dataclasses.replace(larger, crop_size=64).minimum_side == 64
    with pytest.raises(ValueError, match='crop "random" with data.margin.*center'):
        dataclasses.replace(RANDOM, margin=4, crop="center").validate()


def test_of_large_whole_images_the_middle_is_taken(folder):
    data = DataConfig(evaluation_crop="whole", size=32)
    (_, whole), *_ = take(evaluation_pairs(folder, JOINT, NOISE, data, batch_size=4, seed=0), 1)
    options = {"batch_size": 4, "seed": 0, "largest_side": 30}
    (measured, middle), *_ = take(evaluation_pairs(folder, JOINT, NOISE, data, **options), 1)
    assert whole.shape == (1, 40, 48, 3)
    np.testing.assert_array_equal(middle, whole[:, 5:33, 9:37])  # multiples of the scale
    assert measured.shape == (1, 7, 7, 1)


def test_a_sample_is_drawn_from_all_images_and_fixed_by_its_seed():
    source = ImageSource("many", [f"{index:03d}" for index in range(200)])
    drawn = sample_of(source, 20, seed=1)
    assert len(drawn) == 20 and drawn.names == sorted(drawn.names)
    assert drawn.names[0] < "050" and drawn.names[-1] > "150"
    assert drawn.names == sample_of(source, 20, seed=1).names
    assert drawn.names != sample_of(source, 20, seed=2).names
    assert sample_of(source, 200, seed=1) is source


@pytest.mark.parametrize(("count", "last"), [(31, 29), (32, 30), (199, 186), (1600, 1500)])
def test_images_are_spread_over_all(count, last):
    source = ImageSource("many", [str(index) for index in range(count)])
    places = [int(name) for name in spread_over(source, 16).names]
    assert len(places) == 16 and places[0] == 0 and places[-1] == last
    assert np.ptp(np.diff(places)) <= 1
    assert spread_over(source, count) is source
