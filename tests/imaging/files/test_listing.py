import os

import numpy as np
import pytest
from absl import logging
from PIL import Image

from inversenet_tf.imaging.files import listing
from inversenet_tf.imaging.files.images import ImageReadError, read_image


def test_broken_files_are_named(tmp_path, image_folder):
    whole = (image_folder / "0.png").read_bytes()
    (image_folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (image_folder / "text.png").write_text("no image")
    (image_folder / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (8, 8)).save(image_folder / "tiny.png")
    Image.fromarray(np.zeros((40, 40), np.float32)).save(image_folder / "float.tiff")
    usable, skipped = listing.usable_images(listing.list_images(image_folder), minimum_side=32)
    assert [p.name for p in usable] == [f"{i}.png" for i in range(6)]
    assert {p.name for p in skipped} == {
        "truncated.png",
        "text.png",
        "empty.jpg",
        "tiny.png",
        "float.tiff",
    }
    for path, reason in skipped.items():
        assert path.name in reason
    with pytest.raises(ImageReadError, match="text.png"):
        read_image(image_folder / "text.png")


def test_of_very_many_files_only_headers_are_read(image_folder, monkeypatch):
    Image.open(image_folder / "0.png").save(image_folder / "truncated.jpg")
    whole = (image_folder / "truncated.jpg").read_bytes()
    (image_folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (image_folder / "text.png").write_text("no image")
    paths = listing.list_images(image_folder)
    monkeypatch.setattr(listing, "DECODED_CHECKS", len(paths) - 1)
    usable, skipped = listing.usable_images(paths, minimum_side=32)
    assert len(usable) == 7 and [p.name for p in skipped] == ["text.png"]


@pytest.mark.parametrize("limit", [0, 100])
def test_sizes_are_those_of_the_upright_image(tmp_path, monkeypatch, limit):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    monkeypatch.setattr(listing, "DECODED_CHECKS", limit)
    sizes, _ = listing.inspect_images([tmp_path / "turned.jpg"])
    assert list(sizes.values()) == [(8, 4)]


def test_list_images_is_recursive_and_sorted(tmp_path):
    for name in ("b.png", "a/z.JPG", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert listing.list_images(tmp_path) == [tmp_path / "a/z.JPG", tmp_path / "b.png"]


def test_missing_and_empty_directories_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: .*nowhere"):
        listing.list_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Received: none"):
        listing.list_images(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(image_folder, monkeypatch, caplog):
    (image_folder / "locked").mkdir()
    scandir = os.scandir

    def refused(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)  # permissions do not bind a superuser
    logging.use_python_logging(quiet=True)
    with caplog.at_level("WARNING"):
        assert len(listing.list_images(image_folder)) == 6
    assert "Permission denied" in caplog.text and "locked" in caplog.text


def test_linked_folders_are_read_once_and_hidden_ones_never(tmp_path):
    elsewhere, photos = tmp_path / "elsewhere", tmp_path / "photos"
    for folder in (elsewhere, photos / "sub", photos / ".ipynb_checkpoints"):
        folder.mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(folder / "a.png")
    Image.new("RGB", (16, 16)).save(photos / ".hidden.png")
    (photos / "linked").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(photos)
    (photos / "sub" / "dangling.png").symlink_to(tmp_path / "gone.png")
    names = [str(path.relative_to(photos)) for path in listing.list_images(photos)]
    assert names == ["linked/a.png", "sub/a.png", "sub/dangling.png"]
