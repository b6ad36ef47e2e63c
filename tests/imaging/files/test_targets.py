"""Images and their results, paired before any work."""

import numpy as np
import pytest
from fake_restorers import FakeRestorer

from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.files.targets import pair_with_targets
from inversenet_tf.restoration.photographs import restore_files


@pytest.fixture
def folder(tmp_path):
    """An image, one in a subdirectory, and a file that is none."""
    for name in ("b.jpg", "sub/a.PNG", "notes.txt"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "images"


def test_a_folder_keeps_its_shape(folder, tmp_path):
    output = tmp_path / "results"
    assert pair_with_targets(folder, output) == [
        (folder / "b.jpg", output / "b.jpg"),
        (folder / "sub" / "a.PNG", output / "sub" / "a.PNG"),
    ]
    assert not output.exists()


@pytest.mark.parametrize(
    "wanted, suffixes",
    [
        ("same", [".JPG", ".jpg", ".png", ".png", ".png", ".tiff"]),
        ("png", [".png"] * 6),
        ("jpeg", [".JPG", ".jpg", ".jpg", ".jpg", ".jpg", ".jpg"]),
        ("tiff", [".tif", ".tif", ".tif", ".tif", ".tif", ".tiff"]),
    ],
)
def test_results_are_of_the_inputs_kind_or_of_the_one_asked_for(tmp_path, wanted, suffixes):
    names = ["a.JPG", "b.mpo", "c.heic", "d.gif", "e.png", "f.tiff"]
    for name in names:
        (tmp_path / name).touch()
    targets = [target.name for _, target in pair_with_targets(tmp_path, "out", format=wanted)]
    assert targets == [name[0] + suffix for name, suffix in zip(names, suffixes, strict=True)]


def test_formats_that_are_not_written(folder):
    with pytest.raises(ValueError, match="Expected format in .*'tiff'.*Received: 'webp'"):
        pair_with_targets(folder, "out", format="webp")


def test_a_file_alone(folder, tmp_path):
    pairs = pair_with_targets(folder / "b.jpg", tmp_path)
    assert pairs == [(folder / "b.jpg", tmp_path / "b.jpg")]


def test_results_inside_the_source_are_not_restored_again(folder):
    output = folder / "results"
    first = pair_with_targets(folder, output)
    for _, target in first:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    assert pair_with_targets(folder, output, overwrite=True) == first


def test_a_relative_output_inside_the_source(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "results").mkdir()
    (folder / "results" / "old.png").touch()
    paths = [path.name for path, _ in pair_with_targets(folder, "results")]
    assert paths == ["b.jpg", "a.PNG"]


def test_results_that_exist_are_refused(folder, tmp_path):
    (tmp_path / "b.jpg").touch()
    with pytest.raises(ValueError, match=r"or --overwrite. Received: .*b.jpg and 0 more"):
        pair_with_targets(folder, tmp_path)
    assert len(pair_with_targets(folder, tmp_path, overwrite=True)) == 2


def test_images_whose_results_would_be_one_keep_their_suffix(folder, tmp_path):
    for name in ("b.png", "c.png", "c.gif"):
        (folder / name).touch()
    pairs = pair_with_targets(folder, tmp_path / "results")
    targets = {path.name: target.name for path, target in pairs}
    assert targets == {
        "a.PNG": "a.PNG",
        "b.jpg": "b.jpg",
        "b.png": "b.png",
        "c.gif": "c.gif.png",
        "c.png": "c.png.png",
    }
    (folder / "c.png.png").touch()
    with pytest.raises(ValueError, match="results differ in name. Received: .*c.png"):
        pair_with_targets(folder, tmp_path / "results")


def test_nothing_to_restore(folder, tmp_path):
    with pytest.raises(ValueError, match="readable image or directory. Received: .*absent"):
        pair_with_targets(tmp_path / "absent", tmp_path)
    with pytest.raises(ValueError, match="Expected images .* Received: none"):
        pair_with_targets(tmp_path, tmp_path / "images")
    with pytest.raises(ValueError, match="directory to write to. Received: .*b.jpg"):
        pair_with_targets(folder, folder / "b.jpg")
    with pytest.raises(ValueError, match="directory for the results.* Received: .*new.jpg"):
        pair_with_targets(folder, tmp_path / "new.jpg")


def test_a_link_that_leads_nowhere_is_no_reason_to_stop(tmp_path):
    """It is named once it is opened, as any file that cannot be read."""
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a.png", np.zeros((4, 4, 3)))
    (tmp_path / "in" / "b.png").symlink_to("nowhere")
    names = [path.name for path, _ in pair_with_targets(tmp_path / "in", tmp_path / "out")]
    assert names == ["a.png", "b.png"]
    restored, skipped = restore_files(FakeRestorer(), tmp_path / "in", tmp_path / "out")
    assert len(restored) == 1 and "No such file" in skipped[str(tmp_path / "in" / "b.png")]
