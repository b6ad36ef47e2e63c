"""Images that are others than those a run began with are counted, and one is named."""

import os

import numpy as np
import pytest

from inversenet_tf.imaging.data.cache import Cached
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.inventory import INVENTORY_FILE, notice_changes
from inversenet_tf.imaging.data.sources import ImageSource
from inversenet_tf.imaging.files.images import write_image

NAMES = ("a", "b\n", "ünïcode", "d,e")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for level, name in enumerate(NAMES):
        write_image(tmp_path / "photos" / f"{name}.png", np.full((12, 12, 3), level / 10))
    return tmp_path / "photos"


@pytest.fixture
def look(folder, tmp_path, caplog):
    """`look()` is what a session that resumes a run of the folder says, `look(True)` a new one."""
    run = tmp_path / "run"
    run.mkdir()

    def session(is_new=False, spec=None, wrap=lambda source: source):
        caplog.clear()
        images = wrap(open_source(spec or f"folder:{folder}", TRAINING))
        notice_changes(run, {"training": images, "validation": images}, is_new)
        return [message for message in caplog.messages if "no longer" in message]

    session(True)
    return session


def test_nothing_is_said_of_the_same_images(look, folder, tmp_path):
    kept = (tmp_path / "run" / INVENTORY_FILE).read_bytes()
    assert look() == look(spec=f"folder:{folder}/") == look(wrap=Cached) == []
    assert (tmp_path / "run" / INVENTORY_FILE).read_bytes() == kept


def test_new_gone_and_changed_images_are_counted(look, folder):
    (folder / "a.png").unlink()
    write_image(folder / "f.png", np.zeros((12, 12, 3)))
    write_image(folder / "g.png", np.zeros((12, 12, 3)))
    os.utime(folder / "b\n.png", ns=(0, 1))
    for message, role in zip(look(), ("training", "validation"), strict=True):
        assert f"The {role} images" in message and "2 new, 1 gone, 1 changed" in message
        assert "f.png" in message
    assert len(look()) == 2  # as long as they are others


def test_images_of_another_place_are_a_beginning(look, folder, tmp_path):
    (tmp_path / "moved").mkdir()
    write_image(tmp_path / "moved" / "z.png", np.zeros((12, 12, 3)))
    assert look(spec=f"folder:{tmp_path / 'moved'}") == []
    os.utime(tmp_path / "moved" / "z.png", ns=(0, 1))
    assert "0 new, 0 gone, 1 changed" in look(spec=f"folder:{tmp_path / 'moved'}")[0]


def test_a_pair_has_two_files(look, folder, tmp_path):
    measured = tmp_path / "measured"
    measured.mkdir()
    for path in folder.iterdir():
        write_image(measured / path.name, np.full((12, 12, 3), 0.7))
    spec = f"pairs:{folder},{measured}"
    assert look(spec=spec) == []
    write_image(measured / "a.png", np.full((12, 12, 3), 0.71))
    os.utime(measured / "a.png", ns=(0, 1))
    assert "1 changed, among them" in look(spec=spec)[0]


def test_a_damaged_record_is_told_and_made_anew(look, folder, tmp_path, caplog):
    path = tmp_path / "run" / INVENTORY_FILE
    path.write_bytes(path.read_bytes()[:50])
    assert look() == []
    assert "Cannot read which images" in caplog.text
    caplog.clear()
    look()
    assert not caplog.messages


def test_images_without_files_are_known_by_name(tmp_path, caplog):
    def images(names):
        return {"training": ImageSource("tfds:x@train", names)}

    notice_changes(tmp_path, images(["1", "2"]), True)
    notice_changes(tmp_path, images(["1", "2", "3"]), False)
    assert "1 new, 0 gone, 0 changed, among them 3" in caplog.text
