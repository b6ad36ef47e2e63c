"""What the page does, without a browser and without a server."""

import os
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from fake_restorers import FakeRestorer
from PIL import Image

from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.files.written_photographs import png_bytes
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.models import kernel_use
from inversenet_tf.page import examples, models, restoring
from inversenet_tf.page.limits import UNEXPECTED, Cancelled, Limits, Progress, Told, for_visitors
from inversenet_tf.page.restoring import FILE, FIND, NONE, Wish, Workshop
from inversenet_tf.page.server import served

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
KERNEL = np.full((3, 3), 1 / 9, np.float32)


class TellableRestorer(FakeRestorer):
    """For any blur: it keeps what it was told."""

    told_kernels = None
    kernel_use = kernel_use.REQUIRED

    def told(self, kernel, noise=None):
        self.told_kernels = (kernel, noise)
        return FakeRestorer(gain=0.5)


@pytest.fixture
def workshop(tmp_path):
    (tmp_path / "results").mkdir()
    return Workshop(tmp_path / "results", Limits(size=100_000, pixels=10_000))


@pytest.fixture
def upload(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def found(monkeypatch):
    """What the search finds, and how often it was asked."""
    calls = []

    def search(pixels, progress):
        progress(0.5)
        calls.append(pixels.shape)
        return KernelEstimate(KERNEL, 0.01, 0.5)

    monkeypatch.setattr(restoring, "estimate_kernel", search)
    return calls


def unheard(fraction, words):
    assert 0 <= fraction <= 1 and words


PROGRESS = Progress(unheard, threading.Event())


def test_the_blur_is_found_once_and_told(workshop, upload, found):
    restorer = TellableRestorer()
    for noise in (None, 0.03):
        outcome = workshop.restore(upload, restorer, Wish(noise=noise), PROGRESS)
        assert restorer.told_kernels[1] == (0.01 if noise is None else noise)
    np.testing.assert_array_equal(restorer.told_kernels[0], KERNEL)
    assert found == [PIXELS.shape] and outcome.confidence == 0.5
    assert outcome.result.name == "photo-restored.png" and "confidence 50%" in outcome.words
    expected = np.round(PIXELS * np.float32(0.5 / 255) * 255)
    np.testing.assert_allclose(read_photograph(outcome.result).pixels, expected, atol=1)
    before, after = read_image(outcome.before), read_image(outcome.after)
    assert before.shape == after.shape == PIXELS.shape
    np.testing.assert_allclose(before, PIXELS / 255, atol=0.2)


def test_an_image_without_blur_stays_as_it_is(workshop, upload, monkeypatch):
    estimate = KernelEstimate(np.ones((1, 1)), 0.0, 0.0, "The image is sharp.")
    monkeypatch.setattr(restoring, "estimate_kernel", lambda pixels, progress: estimate)
    outcome = workshop.restore(upload, TellableRestorer(), Wish(), PROGRESS)
    assert outcome.words == "The image is sharp. It remains unchanged."
    assert outcome.confidence is None
    np.testing.assert_array_equal(read_photograph(outcome.result).pixels, PIXELS)


def test_sixteen_bits_are_restored_as_such_and_shown_as_eight(workshop, tmp_path):
    deep = PIXELS.astype(np.uint16) * 257
    (tmp_path / "deep.png").write_bytes(png_bytes(deep))
    preview, words = workshop.look_at(tmp_path / "deep.png")
    assert words == "deep.png: 60 × 40 pixels, colour, 16 bits."
    with Image.open(preview) as image:
        assert image.format == "JPEG" and image.size == (60, 40)
    wish = Wish(kernel=NONE, format="tiff")
    outcome = workshop.restore(tmp_path / "deep.png", FakeRestorer(), wish, PROGRESS)
    assert outcome.result.name == "deep-restored.tif" and outcome.confidence is None
    np.testing.assert_array_equal(read_photograph(outcome.result).pixels, deep)


def test_a_kernel_from_a_file_and_none(workshop, upload, tmp_path):
    np.save(tmp_path / "kernel.npy", KERNEL)
    restorer = TellableRestorer()
    wish = Wish(FILE, tmp_path / "kernel.npy", 0.02)
    assert "3x3" in workshop.restore(upload, restorer, wish, PROGRESS).words
    np.testing.assert_allclose(restorer.told_kernels[0], KERNEL)
    words = workshop.restore(upload, restorer, Wish(NONE), PROGRESS).words
    assert words == "Only noise was removed, no blur."
    assert restorer.told_kernels[0].shape == (1, 1)
    (tmp_path / "kernel.npy").write_text("none")
    for wish, message in {
        Wish(FILE): "Expected a kernel file .* Received: none",
        Wish(FILE, tmp_path / "kernel.npy"): r"^(?!.*/).*kernel.npy",
    }.items():
        with pytest.raises(Told, match=message):
            workshop.restore(upload, restorer, wish, PROGRESS)


def test_a_kernel_too_large_is_refused_before_it_is_read(workshop, upload, tmp_path, monkeypatch):
    Image.new("1", (300, 20)).save(tmp_path / "kernel.png")
    (tmp_path / "kernel.mat").write_bytes(bytes(20_000_001))
    monkeypatch.setattr(restoring, "from_file", lambda path: 1 / 0)
    for name, message in {
        "kernel.png": "the photograph, 60x40 pixels. Received: 300x20 pixels in kernel.png",
        "kernel.mat": "at most 20 MB. Received: more in kernel.mat",
    }.items():
        with pytest.raises(Told, match=message):
            workshop.restore(upload, TellableRestorer(), Wish(FILE, tmp_path / name), PROGRESS)


def test_a_kernel_of_an_array_is_held_against_the_photograph(workshop, upload, tmp_path):
    np.save(tmp_path / "kernel.npy", np.ones((41, 60)))
    with pytest.raises(Told, match="Received: 60x41 pixels in kernel.npy"):
        workshop.restore(upload, TellableRestorer(), Wish(FILE, tmp_path / "kernel.npy"), PROGRESS)


def test_results_are_removed_after_some_time(workshop, upload):
    preview, _ = workshop.look_at(upload)
    outcome = workshop.restore(upload, FakeRestorer(), Wish(NONE), PROGRESS)
    long_ago = time.time() - restoring.KEPT - 1
    os.utime(preview.parent, (long_ago, long_ago))
    workshop.look_at(upload)
    assert not preview.parent.exists() and outcome.result.exists()


def test_noise_that_a_model_cannot_be_told_is_not_ignored_silently(workshop, upload):
    for noise in (None, 0.02):
        words = workshop.restore(upload, FakeRestorer(), Wish(NONE, noise=noise), PROGRESS).words
        assert (restoring.OWN_NOISE in words) == (noise is not None)


def test_a_visitor_is_not_told_of_flags(workshop, upload):
    class Exhausted(FakeRestorer):
        def estimates(self, measurements):
            raise MemoryError

    with pytest.raises(Told, match=r"^Not enough memory for photo.png\.$"):
        workshop.restore(upload, Exhausted(), Wish(NONE), PROGRESS)


@pytest.mark.parametrize("kernel", [FIND, FILE])
def test_a_model_of_one_blur_is_not_told_another(workshop, upload, tmp_path, kernel):
    np.save(tmp_path / "kernel.npy", KERNEL)
    with pytest.raises(Told, match="Expected .* Received"):
        workshop.restore(upload, FakeRestorer(), Wish(kernel, tmp_path / "kernel.npy"), PROGRESS)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("text.png", b"no image", "text.png: not an image"),
        ("raw.nef", b"II*\0", "raw.nef: a camera's raw file"),
        ("large.png", bytes(100_001), "at most 0.1 MB. Received: more in large.png"),
    ],
)
def test_uploads_that_are_refused_name_no_place(workshop, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Told, match=message) as told:
        workshop.look_at(tmp_path / name)
    assert str(tmp_path) not in str(told.value)


def test_too_many_pixels_are_refused_by_the_header(workshop, tmp_path, monkeypatch):
    Image.new("1", (200, 100)).save(tmp_path / "wide.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: 1 / 0)
    with pytest.raises(Told, match="at most 0.01 megapixels. Received: 200x100 pixels in wide.png"):
        workshop.look_at(tmp_path / "wide.png")


def test_who_asks_to_stop_is_heard(workshop, upload, found):
    stop = threading.Event()

    def shown(fraction, words):
        if words == "Estimating the blur":
            stop.set()

    with pytest.raises(Cancelled):
        workshop.restore(upload, TellableRestorer(), Wish(), Progress(shown, stop))


def test_who_cancels_while_waiting_is_heard():
    pytest.importorskip("gradio", reason="the page needs the extra app")
    from inversenet_tf.page.visitors import Visits

    visits, ours, other = Visits(), *map(visitor, ("ours", "other"))
    for each in (ours, other):
        visits.queue(each)
    visits.stop(ours)
    assert visits.begin(ours).is_set() and not visits.begin(other).is_set()
    visits.queue(ours)
    running = visits.begin(ours)
    assert not running.is_set()
    visits.queue(ours)
    assert running.is_set() and not visits.begin(ours).is_set()
    visits.leave(ours)
    assert visits.begin(ours).is_set()


def visitor(name):
    return types.SimpleNamespace(session_hash=name)


def test_what_visitors_are_told_of_errors():
    path = Path("/secret/place/photo.png")
    assert for_visitors(Told("Too large."), path) == "Too large."
    assert for_visitors(ValueError(f"Cannot read {path}."), path) == "Cannot read photo.png."
    assert for_visitors(KeyError(str(path)), path) == UNEXPECTED
    assert for_visitors(OSError(f"{path}: full"), path) == UNEXPECTED


def test_models_are_named_without_their_places(monkeypatch):
    loaded = []
    monkeypatch.setattr(models, "presets", dict)
    monkeypatch.setattr(models, "load", lambda place, trusted: loaded.append(place) or place)
    choices = models.Models(["/secret/runs/mine", "other/mine/"])
    assert choices.names == ["mine", "mine'", models.CLOSED_FORM]
    assert choices["mine'"] == "other/mine/" and choices["mine'"] == "other/mine/"
    choices.check()
    assert loaded == ["other/mine/", "/secret/runs/mine"]
    with pytest.raises(ValueError, match="Expected one of mine.* Received: passwd"):
        choices["passwd"]


def test_presets_that_restore_are_there():
    names = models.Models().names
    assert names == ["any_blur", "x4_photos", models.CLOSED_FORM]  # of the presets, not the prior


def test_examples_are_blurred_as_they_say(tmp_path):
    written = examples.write_examples(tmp_path)
    assert [path.name for path, _ in written] == [
        *("chelsea.png", "coffee.png", "astronaut.png", "rocket.png")
    ]
    sharpness = {
        path.stem: float(np.abs(np.diff(read_image(path, 1), axis=1)).mean()) for path, _ in written
    }
    for example in examples.examples():
        assert (example.kernel is None) == (example.words == "sharp")
    photographs = examples.open_source("photos", examples.HELD_OUT)
    for name in ("chelsea", "coffee"):
        sharp = photographs.load(photographs.names.index(name)).mean(-1)
        assert sharpness[name] < 0.8 * np.abs(np.diff(sharp, axis=1)).mean()


def test_a_page_without_gradio_names_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(ValueError, match=r"Expected Gradio.*\[app\].*Received: none"), served():
        pass
