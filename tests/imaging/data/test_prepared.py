import json
import random
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from absl import logging
from PIL import Image
from programs import run

from inversenet_tf.imaging.config import DataConfig, NoiseConfig
from inversenet_tf.imaging.data import packing, prepared
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.pairs import training_pairs
from inversenet_tf.imaging.files import images as files
from inversenet_tf.imaging.files.atomic import partial_directory
from inversenet_tf.imaging.files.locks import InUse, held
from inversenet_tf.imaging.physics.operators import Identity

RANDOM = DataConfig(size=32, crop="random", augmentation="dihedral")


@pytest.fixture
def large_files(tmp_path):
    """Five images of 0.75 MiB: at a shard size of 1 MiB, five shards, of 2 MiB, three."""
    folder = tmp_path / "large"
    folder.mkdir()
    generator = np.random.default_rng(2)
    for index in range(5):
        pixels = generator.integers(0, 256, (512, 512, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def whole(large_files, tmp_path):
    """A prepared set of three shards."""
    packing.prepare(f"folder:{large_files}", tmp_path / "whole", shard_mib=2)
    return tmp_path / "whole"


def open_prepared(directory, **kwargs):
    return open_source(f"prepared:{directory}", TRAINING, **kwargs)


def test_a_set_is_packed_by_one_process(image_folder, tmp_path):
    with held(tmp_path / "set"), pytest.raises(InUse, match="set is in use by"):
        packing.prepare(f"folder:{image_folder}", tmp_path / "set")
    packing.prepare(f"folder:{image_folder}", tmp_path / "set")
    with held(tmp_path / "set"), pytest.raises(InUse, match="set is in use by"):
        packing.prepare(f"folder:{image_folder}", tmp_path / "set")


def test_a_training_draws_the_same_batches(image_folder, tmp_path):
    generator = np.random.default_rng(3)
    for name in ("deep/a.jpg", "z.jpg"):  # sorted among and behind the PNG files
        (image_folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (50, 60, 3), np.uint8)).save(image_folder / name)
    Image.new("RGB", (20, 90)).save(image_folder / "2-too-small.png")
    packing.prepare(f"folder:{image_folder}", tmp_path / "prepared")
    folder = open_source(f"folder:{image_folder}", TRAINING, minimum_side=32)
    packed = open_prepared(tmp_path / "prepared", minimum_side=32)
    assert packed.names == folder.names and len(packed) == 8
    assert packed.spec == f"prepared:{tmp_path / 'prepared'}" and not packed.paired
    noise = NoiseConfig(gaussian_sigma=0.05)
    streams = [
        training_pairs(source, Identity(), noise, RANDOM, batch_size=4, seed=1).take(4)
        for source in (folder, packed)
    ]  # two epochs of eight images
    for one, other in zip(*(stream.as_numpy_iterator() for stream in streams), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("channels", [1, 3])
def test_every_record_is_its_image_in_any_shard(large_files, whole, channels):
    index = json.loads((whole / "index.json").read_text())
    assert [shard["count"] for shard in index["shards"]] == [2, 2, 1]
    assert index["count"] == 5 and index["images"][0] == ["0.png", 512, 512]
    source = open_prepared(whole, channels=channels)
    for place in range(5):
        expected = files.read_image(large_files / f"{place}.png", channels)
        np.testing.assert_array_equal(source.load(place), expected)


def test_threads_may_share_a_source(whole):
    source = open_prepared(whole)
    expected = [source.load(place)[:8] for place in range(5)]
    fresh = open_prepared(whole)
    places = random.Random(0).choices(range(5), k=60)
    with ThreadPoolExecutor(8) as pool:
        for place, image in zip(places, pool.map(fresh.load, places), strict=True):
            np.testing.assert_array_equal(image[:8], expected[place])


def test_opening_reads_no_image(whole, monkeypatch):
    monkeypatch.setattr(prepared, "read_image", None)
    monkeypatch.setattr(prepared, "sha256_of", None)
    assert len(open_prepared(whole)) == 5


def test_the_minimum_side_is_that_of_the_training(image_folder, tmp_path, caplog):
    Image.new("RGB", (8, 9)).save(image_folder / "3-tiny.png")
    packing.prepare(f"folder:{image_folder}", tmp_path / "prepared")
    assert len(open_prepared(tmp_path / "prepared")) == 7
    logging.use_python_logging(quiet=True)
    with caplog.at_level("WARNING"):
        source = open_prepared(tmp_path / "prepared", minimum_side=32)
    assert source.names == [f"{i}.png" for i in range(6)]
    assert "Skipped: 3-tiny.png is 9x8, smaller than 32 pixels." in caplog.text
    assert "6 images used, 1 skipped" in caplog.text
    np.testing.assert_array_equal(source.load(5), files.read_image(image_folder / "5.png"))
    with pytest.raises(ValueError, match="at least 64 pixels.*7 files, none usable"):
        open_prepared(tmp_path / "prepared", minimum_side=64)


def test_images_behind_a_small_one_are_found_in_their_shards(large_files, tmp_path):
    Image.new("RGB", (8, 8)).save(large_files / "1.png")
    packing.prepare(f"folder:{large_files}", tmp_path / "prepared", shard_mib=2)
    source = open_prepared(tmp_path / "prepared", minimum_side=32)
    assert source.names == ["0.png", "2.png", "3.png", "4.png"]
    for place, name in enumerate(source.names):
        np.testing.assert_array_equal(source.load(place), files.read_image(large_files / name))


def test_unreadable_files_are_skipped_by_name(image_folder, tmp_path, caplog):
    (image_folder / "1.png").write_bytes((image_folder / "1.png").read_bytes()[:-2000])
    (image_folder / "text.jpg").write_text("no image")
    (image_folder / "notes.txt").write_text("of these images")
    (image_folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    logging.use_python_logging(quiet=True)
    with caplog.at_level("WARNING"):
        index = packing.prepare(f"folder:{image_folder}", tmp_path / "prepared")
    assert list(index["skipped"]) == ["1.png", "gone.png", "text.jpg"]
    for name, reason in index["skipped"].items():
        assert name in reason and f"Skipped: {reason}" in caplog.text
    assert "5 images used, 3 skipped" in caplog.text
    assert "1 file without an image suffix ignored" in caplog.text
    folder = open_source(f"folder:{image_folder}", TRAINING)
    assert open_prepared(tmp_path / "prepared").names == folder.names


def test_a_folder_without_an_image_makes_no_prepared_set(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    with pytest.raises(ValueError, match="1 file, none usable.*a.png"):
        packing.prepare(f"folder:{tmp_path / 'images'}", tmp_path / "prepared")
    assert not (tmp_path / "prepared" / "index.json").exists()


def test_folders_are_joined_with_their_numbers(image_folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(image_folder, other)  # the same names again
    Image.new("RGB", (48, 40), "red").save(other / "0.png")
    spec = f"folder:{other},{image_folder}"
    packing.prepare(spec, tmp_path / "prepared")
    joined, packed = open_source(spec, TRAINING), open_prepared(tmp_path / "prepared")
    assert packed.names == joined.names and packed.names[::6] == ["0/0.png", "1/0.png"]
    for place in (0, 6, 11):
        np.testing.assert_array_equal(packed.load(place), joined.load(place))


@pytest.mark.parametrize("place", [0, 1])
def test_an_interrupted_packing_goes_on(large_files, tmp_path, monkeypatch, place):
    """Interrupted before or after the first image of its second shard."""
    spec, directory = f"folder:{large_files}", tmp_path / "prepared"
    read = packing.decoded_size

    def interrupted(file, name):
        if name == large_files / f"{2 + place}.png":
            raise KeyboardInterrupt
        return read(file, name)

    monkeypatch.setattr(packing, "decoded_size", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packing.prepare(spec, directory, shard_mib=2)
    assert len(list(directory.glob("*.array_record"))) == 1
    with pytest.raises(ValueError) as refused:
        open_prepared(directory)
    command = f"inversenet prepare --source={spec} --output={directory} --shard_mib=2"
    assert command in str(refused.value)

    # As a kill leaves it: half a shard aside, and another one whole but not yet described.
    aside = partial_directory(directory / "shard-00001.array_record")
    aside.mkdir()
    (aside / "shard-00001.array_record").write_bytes(b"half")
    (directory / "shard-00002.array_record").write_bytes(b"other")
    first = (directory / "shard-00000.array_record").stat()
    monkeypatch.setattr(packing, "decoded_size", read)
    packing.prepare(spec, directory, shard_mib=2)
    assert not list(directory.glob(".partial-*"))
    now = (directory / "shard-00000.array_record").stat()
    assert (now.st_mtime_ns, now.st_ino) == (first.st_mtime_ns, first.st_ino)
    packing.prepare(spec, tmp_path / "at_once", shard_mib=2)
    for path in (tmp_path / "at_once").glob("shard-*"):
        assert (directory / path.name).read_bytes() == path.read_bytes()
    indices = [(place / "index.json").read_text() for place in (directory, tmp_path / "at_once")]
    assert indices[0] == indices[1]


def test_a_finished_set_is_left_as_it_is(large_files, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.glob("shard-*")}
    packing.prepare(f"folder:{large_files}", whole, shard_mib=2)
    assert before == {path: path.stat().st_mtime_ns for path in whole.glob("shard-*")}


def add(folder):
    Image.new("RGB", (48, 40)).save(folder / "new.png")


def remove(folder):
    (folder / "4.png").unlink()


def resize(folder):
    with open(folder / "4.png", "ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "name"), [(add, "new.png"), (remove, "4.png"), (resize, "4.png")]
)
def test_a_changed_folder_is_refused(large_files, whole, change, name):
    change(large_files)
    with pytest.raises(ValueError, match=f"Received: 1 added, removed or .* the first: {name}"):
        packing.prepare(f"folder:{large_files}", whole, shard_mib=2)


def test_a_file_that_changes_during_the_packing_is_refused(large_files, tmp_path, monkeypatch):
    keep = packing._keep_plan
    monkeypatch.setattr(packing, "_keep_plan", lambda *args: (keep(*args), resize(large_files)))
    with pytest.raises(ValueError, match=r"Expected .*4.png as it was when the packing began"):
        packing.prepare(f"folder:{large_files}", tmp_path / "prepared")


def test_what_was_begun_otherwise_is_refused(large_files, image_folder, whole):
    with pytest.raises(ValueError, match="the source that .* was started with"):
        packing.prepare(f"folder:{image_folder}", whole, shard_mib=2)
    with pytest.raises(ValueError, match=r"the shard_mib .* started with, 2. Received: 3"):
        packing.prepare(f"folder:{large_files}", whole, shard_mib=3)
    with pytest.raises(ValueError, match="Expected a new or empty directory.*images"):
        packing.prepare(f"folder:{large_files}", image_folder)
    with pytest.raises(ValueError, match="Expected folder:DIR.*'photos'"):
        packing.prepare("photos", image_folder)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1  # in an image; the end holds the places of all
    path.write_bytes(content)


def test_a_flipped_bit_is_found_and_mended(large_files, whole, tmp_path):
    assert prepared.damaged_shards(whole) == []
    flip_a_bit(whole / "shard-00001.array_record")
    assert len(open_prepared(whole)) == 5  # too quick a look to notice
    [damage] = prepared.damaged_shards(whole)
    assert "shard-00001" in damage and "SHA-256" in damage
    (whole / "shard-00001.array_record").unlink()
    packing.prepare(f"folder:{large_files}", whole, shard_mib=2)
    assert prepared.damaged_shards(whole) == []


def test_a_damaged_record_is_an_unreadable_image(whole):
    flip_a_bit(whole / "shard-00002.array_record")
    source = open_prepared(whole)
    source.load(0)
    with pytest.raises(files.ImageReadError, match="record 0 of .*shard-00002"):
        source.load(4)


def test_a_shard_that_is_gone_for_a_while_is_an_unreadable_image_for_a_while(whole, tmp_path):
    source = open_prepared(whole)
    (whole / "shard-00002.array_record").rename(tmp_path / "elsewhere")
    with pytest.raises(files.ImageReadError, match="record 0 of .*shard-00002"):
        source.load(4)
    (tmp_path / "elsewhere").rename(whole / "shard-00002.array_record")
    assert source.load(4).shape == (512, 512, 3)


def test_an_image_that_cannot_be_decoded_is_named_with_its_shard(whole, monkeypatch):
    monkeypatch.setattr(prepared.Shard, "read", lambda shard, record: b"no image")
    with pytest.raises(files.ImageReadError, match=r"3.png in .*shard-00001.array_record: not an"):
        open_prepared(whole).load(3)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty_of_equal_length(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda path: path.unlink(), "shard-00001.array_record is missing"),
        (cut, "bytes instead of"),
        (empty_of_equal_length, "0 images instead of 2"),
    ],
)
def test_a_set_without_a_whole_shard_is_refused(large_files, whole, damage, fault):
    damage(whole / "shard-00001.array_record")
    with pytest.raises(ValueError, match=fault) as refused:
        open_prepared(whole)
    assert f"--source=folder:{large_files} --output={whole} --shard_mib=2" in str(refused.value)
    packing.prepare(f"folder:{large_files}", whole, shard_mib=2)
    assert len(open_prepared(whole)) == 5


def test_what_is_no_prepared_set_is_refused(tmp_path, image_folder):
    for directory in (tmp_path / "nowhere", image_folder):
        with pytest.raises(ValueError, match="Expected index.json in .* --source=folder:DIR"):
            open_prepared(directory)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ValueError, match="Expected JSON in"):
        open_prepared(tmp_path)
    (tmp_path / "index.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="Expected format 1 of .*Received: 99"):
        open_prepared(tmp_path)


def test_a_full_disk_is_an_error_of_the_disk(large_files, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *args):
            pass

        def write(self, content):
            raise RuntimeError("No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(packing, "ArrayRecordWriter", Full)
    with pytest.raises(OSError, match="No space left"):
        packing.prepare(f"folder:{large_files}", tmp_path / "prepared")
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == ["plan.json"]


def test_the_tool_packs_and_verifies(image_folder, tmp_path):
    source, output = f"--source=folder:{image_folder}", f"--output={tmp_path / 'prepared'}"
    packed = run("prepare", source, output, "--verify")
    assert packed.returncode == 0, packed.stderr
    assert f"6 images in 1 shard: prepared:{tmp_path / 'prepared'}" in packed.stdout
    assert "are intact" in packed.stdout
    flip_a_bit(tmp_path / "prepared" / "shard-00000.array_record")
    verified = run("prepare", output, "--verify")
    assert verified.returncode == 1 and not verified.stdout
    assert "Received: shard-00000.array_record with another SHA-256" in verified.stderr
    assert "Traceback" not in verified.stderr
