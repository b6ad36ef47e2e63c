"""Whatever a file system allows as a path works in every tool, or is refused before any work."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from fake_restorers import FakeRestorer
from PIL import Image
from programs import run

import inversenet_tf as inv
from blind_gan_tf.config import InversionConfig, PriorConfig
from blind_gan_tf.experiment import run_inversion
from blind_gan_tf.prior_training import train_prior
from inversenet_tf.exporting.lite import converted
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.data.packing import prepare
from inversenet_tf.imaging.files.grids import comparison_figure
from inversenet_tf.imaging.files.paths import check_utf8, taken_literally
from inversenet_tf.paper.measure import reproduce
from inversenet_tf.paper.trainings import Conditions
from inversenet_tf.restoration.photographs import restore_files
from inversenet_tf.serving.fresh_process import answers_of
from inversenet_tf.serving.saved_models import write_version

pytestmark = pytest.mark.usefixtures("untraced")

AWKWARD = "-a[1-2] [!x] \\b\\[ *? é中 'q\" $x$ $$ #%,;:{y} \n~"
NOT_UTF8 = os.fsdecode(b"caf\xe9")


def moved(folder, parent, name):
    """A folder of a test under another name, below a directory of another name, too."""
    (parent / name).mkdir()
    return shutil.copytree(folder, parent / name / name)


def test_a_run_resumes_and_is_evaluated_exported_and_loaded(
    trained, image_folder, small_config, tmp_path
):
    workdir = moved(trained, tmp_path, AWKWARD)
    photographs = moved(image_folder, tmp_path / AWKWARD, f"x{AWKWARD}")
    small_config.data.train = small_config.data.validation = f"folder:{photographs}"
    (workdir / "checkpoints" / "last" / "step-00000004").rename(tmp_path / "end")
    assert inv.train(small_config, workdir, extend=True).step == 4  # its images were moved
    results = inv.evaluate(workdir, data=f"folder:{photographs}", limit=1)
    assert results["number_of_images"] == 1
    version = inv.export(workdir, tmp_path / f"export{AWKWARD}")
    measurement = np.full((32, 32, 3), 0.5, np.float32)
    restored = [inv.load(place)(measurement) for place in (workdir, version.parent, version)]
    for other in restored[1:]:
        np.testing.assert_allclose(other, restored[0], atol=1e-5)


def test_a_saved_model_is_served_and_converted(tmp_path):
    spec = tf.TensorSpec((None,), tf.float32, "values")
    double = {"serving_default": (lambda values: {"doubled": 2.0 * values}, [spec])}
    version = write_version(tmp_path / AWKWARD, double, {}, [])
    asked = [("serving_default", {"values": np.ones(2, np.float32)})]
    answers, _ = answers_of(version, asked)
    np.testing.assert_array_equal(answers[0]["doubled"], [2, 2])
    assert converted(version)[4:8] == b"TFL3"


@pytest.mark.parametrize("name", [AWKWARD, NOT_UTF8])
def test_photographs_are_restored(image_folder, tmp_path, name):
    source = moved(image_folder, tmp_path, name)
    (source / "0.png").rename(source / f"{name}.png")
    made, skipped = restore_files(FakeRestorer(), source, tmp_path / f"out{name}", compare=True)
    assert len(made) == 6 and not skipped
    assert tmp_path / f"out{name}" / f"{name}.png" in made


@pytest.mark.parametrize("name", [AWKWARD, NOT_UTF8])
def test_images_are_read_and_packed(image_folder, tmp_path, name):
    source = moved(image_folder, tmp_path, name)
    (source / "0.png").rename(source / f"{name}.png")
    output = tmp_path / f"set{AWKWARD}"
    assert prepare(f"folder:{source}", output)["count"] == 6
    ours, theirs = (
        open_source(spec, HELD_OUT) for spec in (f"folder:{source}", f"prepared:{output}")
    )
    assert ours.names == theirs.names
    for index in range(6):
        np.testing.assert_array_equal(ours.load(index), theirs.load(index))


@pytest.mark.parametrize("name", ["$$", r"x$\frac$", "$x_{$", "a_b^c", AWKWARD, NOT_UTF8])
def test_a_figure_of_any_name(tmp_path, name):
    image = np.full((8, 8, 1), 0.5, np.float32)
    comparison_figure(tmp_path / f"{name}.png", [[(image, name)]], f"folder:{name}")
    with Image.open(tmp_path / f"{name}.png") as drawn:
        assert min(drawn.size) > 100


def test_directories_that_tensorflow_cannot_write_are_refused(
    small_config, image_folder, trained, tmp_path
):
    place, folder = tmp_path / NOT_UTF8, f"folder:{image_folder}"
    inversion = InversionConfig(prior=str(tmp_path))
    conditions = Conditions(place, 1.0)
    for attempt in (
        lambda: inv.train(small_config, place),
        lambda: train_prior(PriorConfig(), place),
        lambda: run_inversion(inversion, place),
        lambda: reproduce("1", ["celeba"], conditions),
        lambda: prepare(folder, place),
        lambda: inv.export(trained, place),
        lambda: inv.load(place),
        lambda: inv.evaluate(place),
        lambda: open_source(f"prepared:{place}", HELD_OUT),
    ):
        with pytest.raises(ValueError, match=r"Expected a (path in UTF-8|.*\.tflite)"):
            attempt()
    assert not place.exists()


def test_only_patterns_are_linked(tmp_path):
    for name in ("plain", "中文 $x$"):
        with taken_literally(tmp_path / name) as same:
            assert same == tmp_path / name
    with taken_literally(tmp_path / "run[1]") as link:
        assert link.resolve() == tmp_path / "run[1]" and "[" not in str(link)
    assert not link.is_symlink()
    assert check_utf8("中文") == Path("中文")


def test_no_home_is_told_in_one_line(tmp_path):
    ended = run("evaluate", "--workdir=~nobody-of-this-name/run")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("Error: Expected a user with a home directory")


def test_folders_whose_names_have_commas(image_folder, tmp_path):
    """As one of several, as one of a pair, or beside a folder of a part of its name."""
    names = ("Paris, 2019", "a,b", "a")
    paths = [shutil.copytree(image_folder, tmp_path / name) for name in names]
    for chosen in ([0], [0, 1], [2, 0], [1, 2, 0]):
        place = ",".join(str(paths[index]) for index in chosen)
        assert len(open_source(f"folder:{place}", HELD_OUT)) == 6 * len(chosen)
        output = tmp_path / f"set{chosen}"
        assert prepare(f"folder:{place}", output)["count"] == 6 * len(chosen)
    for path in paths[1].iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert open_source(f"pairs:{paths[0]},{paths[1]}", HELD_OUT).paired
    with pytest.raises(ValueError, match="Expected a directory of images. Received: nowhere"):
        open_source(f"folder:nowhere,{paths[0]}", HELD_OUT)


@pytest.mark.parametrize("place", ["", "/run", "/a/../b/run"])
def test_no_work_directory_lies_among_the_images(small_config, image_folder, place):
    """Its figures would be images of the next session."""
    before = sorted(image_folder.rglob("*"))
    with pytest.raises(ValueError, match="outside of the images in .*Received"):
        inv.train(small_config, f"{image_folder}{place}")
    assert sorted(image_folder.rglob("*")) == before


def test_an_empty_text_is_no_path(small_config, tmp_path, monkeypatch):
    """As of a variable of the shell that was not set; it is not the current directory."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for call in (
        lambda: inv.train(small_config, ""),
        lambda: inv.load(""),
        lambda: inv.evaluate(""),
        lambda: inv.export("", "models"),
        lambda: restore_files(FakeRestorer(), "images", ""),
        lambda: restore_files(FakeRestorer(), "", "out"),
    ):
        with pytest.raises(ValueError, match="Expected a path .* Received: an empty text"):
            call()
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_config_is_told(tmp_path):
    for config in (None, {}):
        with pytest.raises(ValueError, match="Expected a Config"):
            inv.train(config, tmp_path / "run")
