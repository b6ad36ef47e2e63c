import gzip
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image

from inversenet_tf.imaging.data import datasets, sources
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.files.pixels import from_integers, to_luma


def test_photos_are_split_by_photograph():
    training, held_out = open_source("photos", TRAINING), open_source("photos", HELD_OUT)
    assert held_out.names == ["chelsea", "coffee"]
    assert not set(training.names) & set(held_out.names)
    assert open_source("photos@training", HELD_OUT).names == training.names
    image = held_out.load(0)
    assert image.shape == (300, 451, 3) and image.dtype == np.float32
    assert image.min() >= 0 and 0.5 < image.max() <= 1
    assert open_source("photos", HELD_OUT, channels=1).load(0).shape == (300, 451, 1)


def test_folder_reads_in_sorted_order(image_folder):
    source = open_source(f"folder:{image_folder}", TRAINING)
    assert source.names == [f"{i}.png" for i in range(6)]
    expected = np.asarray(Image.open(image_folder / "3.png")) / 255
    np.testing.assert_allclose(source.load(3), expected, atol=1e-6)


def test_folder_names_what_it_skips(image_folder, caplog):
    (image_folder / "bad.png").write_text("no image")
    (image_folder / "notes.txt").write_text("of these images")
    Image.new("RGB", (8, 8)).save(image_folder / "tiny.png")
    logging.use_python_logging(quiet=True)
    with caplog.at_level("WARNING"):
        source = open_source(f"folder:{image_folder}", TRAINING, minimum_side=32)
    assert len(source) == 6
    assert "bad.png" in caplog.text and "tiny.png" in caplog.text
    assert "6 images used, 2 skipped" in caplog.text
    assert "1 file without an image suffix ignored" in caplog.text


def test_folder_without_a_usable_image_is_refused(image_folder):
    with pytest.raises(ValueError, match="6 files, none usable.*0.png"):
        open_source(f"folder:{image_folder}", TRAINING, minimum_side=64)


def test_several_folders_are_one_source(image_folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (9, 8), (0, 51, 255)).save(other / "0.png")
    spec = f"folder:{other},{image_folder}"
    source = open_source(spec, TRAINING)
    assert source.spec == spec and not source.paired
    assert source.names == ["0/0.png", *[f"1/{i}.png" for i in range(6)]]
    assert len(source) == 7
    np.testing.assert_allclose(source.load(0), np.full((8, 9, 3), [0, 0.2, 1]), atol=1e-6)
    alone = open_source(f"folder:{image_folder}", TRAINING)
    for index in range(6):
        np.testing.assert_array_equal(source.load(1 + index), alone.load(index))
    assert open_source(spec, TRAINING, channels=1).load(3).shape == (40, 48, 1)
    with pytest.raises(ValueError, match="1 file, none usable.*0.png"):
        open_source(spec, TRAINING, minimum_side=32)


@pytest.fixture
def pair_folders(image_folder, tmp_path):
    degraded = tmp_path / "degraded"
    degraded.mkdir()
    for path in image_folder.iterdir():
        Image.open(path).point(lambda value: 255 - value).save(degraded / f"{path.stem}.bmp")
    return image_folder, degraded


def test_pairs_are_matched_by_name(pair_folders):
    source = open_source("pairs:{},{}".format(*pair_folders), TRAINING)
    assert source.paired and len(source) == 6
    image, measurement = source.load(2)
    np.testing.assert_allclose(image + measurement, 1.0, atol=1e-6)


def test_a_pair_without_its_partner_is_refused(pair_folders):
    (pair_folders[1] / "4.bmp").unlink()
    with pytest.raises(ValueError, match="1 without a partner, the first: 4"):
        open_source("pairs:{},{}".format(*pair_folders), TRAINING)


def test_a_pair_of_two_sizes_is_refused(pair_folders):
    Image.new("RGB", (48, 41)).save(pair_folders[1] / "4.bmp")
    with pytest.raises(ValueError, match=r"pair 4 .*\(40, 48\) and \(41, 48\)"):
        open_source("pairs:{},{}".format(*pair_folders), TRAINING)


def test_images_of_one_stem_pair_by_their_whole_names(pair_folders):
    spec = "pairs:{},{}".format(*pair_folders)
    count = len(open_source(spec, TRAINING))
    Image.new("RGB", (48, 40)).save(pair_folders[0] / "4.bmp")
    with pytest.raises(ValueError, match="1 without a partner, the first: 4.png"):
        open_source(spec, TRAINING)
    Image.new("RGB", (48, 40)).save(pair_folders[1] / "4.png")
    assert len(open_source(spec, TRAINING)) == count + 1


def test_an_unreadable_pair_is_refused(pair_folders):
    (pair_folders[1] / "4.bmp").write_text("no image")
    with pytest.raises(ValueError, match="4.bmp: not an image"):
        open_source("pairs:{},{}".format(*pair_folders), TRAINING)


def test_photos_smaller_than_the_patch_are_refused():
    with pytest.raises(ValueError, match="at least 400 pixels.*300"):
        open_source("photos@held_out", HELD_OUT, minimum_side=400)


def test_tfds_by_random_access():
    with tfds.testing.mock_data(num_examples=3):
        source = open_source("tfds:mnist", TRAINING, channels=3)
        assert source.spec == "tfds:mnist@train" and len(source) == 3
        image = source.load(1)
        assert image.shape == (28, 28, 3) and image.max() <= 1
        assert open_source("tfds:mnist@test", TRAINING).names == ["test-0", "test-1", "test-2"]


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_of_tfds_is_left_out(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 4), np.uint8)
    with tfds.testing.mock_data(num_examples=1):
        source = open_source("tfds:mnist", TRAINING, channels)
    source._examples = [{"image": pixels}]
    rgb = from_integers(pixels[..., :3])
    expected = rgb if channels == 3 else to_luma(rgb)
    np.testing.assert_allclose(source.load(0), expected, atol=1e-6)


def test_tfds_smaller_than_the_patch_is_refused():
    with (
        tfds.testing.mock_data(num_examples=3),
        pytest.raises(ValueError, match="'mnist', whose images are 28x28"),
    ):
        open_source("tfds:mnist", TRAINING, minimum_side=64)


def test_tfds_without_a_held_out_split_says_how_to_make_one():
    builder = SimpleNamespace(name="any", info=SimpleNamespace(splits=["train"]))
    with pytest.raises(ValueError, match="tfds:any@train"):
        datasets.held_out_split(builder)


@pytest.mark.parametrize(
    ("splits", "expected"),
    [(["train", "test"], "test"), (["train", "test", "validation"], "validation")],
)
def test_tfds_holds_out_what_the_data_set_does(splits, expected):
    builder = SimpleNamespace(name="any", info=SimpleNamespace(splits=splits))
    assert datasets.held_out_split(builder) == expected


def test_tfds_says_the_way_out():
    with pytest.raises(ValueError, match="folder:DIR"):
        open_source("tfds:no_such_data_set", TRAINING)


@pytest.mark.parametrize(
    "spec", ["", "folder:", "prepared:", "photos@all", "pairs:a,b,c", "web:cats"]
)
def test_unknown_sources_are_refused(spec):
    with pytest.raises(ValueError, match="Expected photos.*folder:DIR, prepared:DIR"):
        open_source(spec, TRAINING)


@pytest.mark.parametrize("commas", ["{},", ",{}", "{0},,{0}"])
@pytest.mark.parametrize("kind", ["folder", "pairs"])
def test_nothing_beside_a_comma_is_refused(image_folder, kind, commas):
    with pytest.raises(ValueError, match="between the commas"):
        open_source(f"{kind}:{commas.format(image_folder)}", TRAINING)


def test_impossible_channels_are_refused():
    with pytest.raises(ValueError, match="channels 1 or 3"):
        open_source("photos", TRAINING, channels=2)


def test_digits_are_upscaled_and_split():
    training = open_source("digits", TRAINING, channels=1, minimum_side=32)
    held_out = open_source("digits", HELD_OUT, channels=3)
    assert (len(training), len(held_out)) == (1438, 359)
    assert not set(training.names) & set(held_out.names)
    assert set(training.labels) == set(range(10)) and len(held_out.labels) == 359
    assert training.load(0).shape == (32, 32, 1) and held_out.load(0).shape == (32, 32, 3)
    assert training.load(0).min() >= 0 and 0.8 < training.load(0).max() <= 1
    with pytest.raises(ValueError, match="which have 32"):
        open_source("digits", TRAINING, channels=1, minimum_side=33)


def write_idx(path, array, compressed):
    header = b"\x00\x00\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with (gzip.open if compressed else open)(path, "wb") as file:
        file.write(header + array.astype(np.uint8).tobytes())


@pytest.mark.parametrize("compressed", [True, False])
def test_idx_files_are_read(tmp_path, compressed):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28))
    suffix = ".gz" if compressed else ""
    write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", images, compressed)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", np.arange(5), compressed)
    source = open_source(f"idx:{tmp_path}", TRAINING, channels=1, minimum_side=28)
    np.testing.assert_array_equal(source.labels, np.arange(5))
    np.testing.assert_allclose(source.load(3)[..., 0], images[3] / 255, atol=1e-6)
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte"):
        open_source(f"idx:{tmp_path}", HELD_OUT, channels=1)
    with pytest.raises(ValueError, match="28x28"):
        open_source(f"idx:{tmp_path}", TRAINING, channels=1, minimum_side=32)


def test_a_truncated_idx_file_is_named(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((2, 4, 4)), False)
    whole = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(whole[:-3])
    with pytest.raises(ValueError, match=r"Expected an IDX file.*train-images"):
        open_source(f"idx:{tmp_path}", TRAINING, channels=1)


def test_a_damaged_gzip_of_an_idx_file_is_named(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    write_idx(path, np.random.default_rng(0).integers(0, 256, (5, 28, 28)), True)
    content = bytearray(path.read_bytes())
    content[20:40] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"Cannot read .*train-images-idx3-ubyte.gz"):
        open_source(f"idx:{tmp_path}", TRAINING, channels=1)


def test_a_selection_is_a_source_in_another_order():
    source = open_source("digits", HELD_OUT, channels=1)
    chosen = sources.Selection(source, np.array([7, 2]))
    assert chosen.names == [source.names[7], source.names[2]]
    np.testing.assert_array_equal(chosen.labels, source.labels[[7, 2]])
    np.testing.assert_array_equal(chosen.load(1), source.load(2))
