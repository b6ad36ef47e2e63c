"""A photograph that a restorer was not made for is told, with the number, and not once a file."""

import dataclasses

import numpy as np
import pytest
from fake_restorers import FakeRestorer

from inversenet_tf import load
from inversenet_tf.imaging.config import NoiseConfig, OperatorConfig
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.files.photographs import Photograph
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.restoration.linear_light import LinearLightRestorer
from inversenet_tf.restoration.photographs import restore_files
from inversenet_tf.restoration.unknown_blur import UnknownBlurRestorer

SHARP = Degradation([[1.0]])
SAID = "not fit"


class Identity(FakeRestorer):
    """Takes its measurements for sharp, and gives them back with another gain."""

    degradation = SHARP


def said(caplog):
    return [message for message in caplog.messages if SAID in message]


def test_a_folder_ends_with_one_line(image_folder, tmp_path, caplog):
    restore_files(Identity(gain=0.1), image_folder, tmp_path / "out")
    [line] = said(caplog)
    assert line.startswith("6 of 6 photographs do not fit what") and "/255 away" in line
    assert any(f"{number}.png" in line for number in range(6))
    caplog.clear()
    restore_files(Identity(), image_folder, tmp_path / "again")
    assert not said(caplog)


def test_several_at_a_time_are_counted_together(image_folder, tmp_path, caplog):
    restore_files(Identity(gain=0.1), image_folder, tmp_path / "out", parallel=3)
    assert [line[:6] for line in said(caplog)] == ["6 of 6"]
    caplog.clear()
    restore_files(Identity(gain=0.1), image_folder / "0.png", tmp_path / "one")
    assert said(caplog)[0].startswith("1 of 1 photograph does not fit")


def test_arrays_are_told_of_once(caplog):
    image = np.random.default_rng(0).random((40, 40, 3)).astype(np.float32)
    restorer = Identity(gain=0.1)
    for _ in range(3):
        restored = restorer(image)
    assert len(said(caplog)) == 1
    assert not restorer.fit(image, restored).fits and restorer.fit(image, image).fits
    caplog.clear()
    restorer.restore_photograph(Photograph(np.uint8(255 * image)))
    assert not said(caplog)
    Identity(gain=0.1).restore_photograph(Photograph(np.uint8(255 * image)))
    assert len(said(caplog)) == 1


def test_a_restorer_of_an_unknown_operator_says_nothing(image_folder, tmp_path, caplog):
    restorer = FakeRestorer(gain=0.1)
    restore_files(restorer, image_folder, tmp_path / "out")
    assert not said(caplog)
    assert restorer.fit(np.ones((40, 40, 3)), np.zeros((40, 40, 3))) is None


def test_a_kernel_that_is_told_may_be_the_wrong_one(caplog):
    generator = np.random.default_rng(0)
    image = np.kron(generator.random((12, 12, 3)), np.ones((8, 8, 1))).astype(np.float32)
    right, wrong = linear_motion(9, 45.0), linear_motion(9, 135.0)
    measured = Blur(right)(image[np.newaxis]).numpy()[0][8:-8, 8:-8]
    restorer = load("closed_form")
    restorer(measured, kernel=right)
    assert not said(caplog)
    for _ in range(2):
        restorer(measured, kernel=wrong)
    assert len(said(caplog)) == 1


def test_a_kernel_of_light_is_compared_in_light(caplog):
    generator = np.random.default_rng(0)
    light = np.kron(generator.random((12, 12, 3)), np.ones((8, 8, 1))).astype(np.float32) ** 2.2
    right, wrong = linear_motion(9, 45.0), linear_motion(9, 135.0)
    blurred = Blur(right)(light[np.newaxis]).numpy()[0][8:-8, 8:-8]
    measured = np.clip(blurred, 0.0, 1.0) ** np.float32(1 / 2.2)
    restorer = LinearLightRestorer(load("closed_form"), 2.2)
    restored = restorer(measured, kernel=right)
    assert not said(caplog)
    told = restorer.told(right)
    assert told.fit(np.uint8(255 * measured), np.uint8(255 * restored)).fits
    restorer(measured, kernel=wrong)
    assert len(said(caplog)) == 1
    with pytest.raises(ValueError, match="Expected no kernel or noise .* Received: one"):
        told.estimates(measured[np.newaxis], kernels=right[np.newaxis])
    by_name = restorer.estimates(measured[np.newaxis], kernels=right[np.newaxis])
    np.testing.assert_allclose(by_name["restored"][0], restored, atol=1e-6)


def test_a_kernel_that_was_found_is_compared_too(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    finding = UnknownBlurRestorer(load("closed_form"))
    monkeypatch.setattr(finding, "_told", lambda *_: Identity(gain=0.1))
    assert not finding.restore_and_compare(Photograph(pixels))[1].fits
    monkeypatch.setattr(finding, "_told", lambda *_: None)
    restored, fit = finding.restore_and_compare(Photograph(pixels))
    assert fit is None and restored is pixels


def test_a_run_and_its_export_know_what_they_restore(shared_run, shared_export):
    kernel = np.load(shared_run / "kernel.npy")
    known = load(shared_run).degradation
    np.testing.assert_allclose(known.kernel, kernel, atol=1e-7)
    expected = Degradation.of(OperatorConfig(), NoiseConfig(), kernel, known.unexplained / 2)
    np.testing.assert_allclose(known.unexplained, expected.unexplained)
    exported = load(shared_export).degradation
    assert dataclasses.asdict(exported) == dataclasses.asdict(known)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_photograph_stays_gray_however_it_is_stored(tmp_path, channels):
    """A network leaves faint colours where all channels were equal."""

    class Tinting(FakeRestorer):
        def estimates(self, measurements):
            return {"restored": measurements * np.float32([1.0, 0.97, 1.0])}

    gray = np.random.default_rng(0).random((20, 30, 1)).repeat(channels, -1).astype(np.float32)
    write_image(tmp_path / "gray.png", gray)
    pixels = np.round(255 * gray).astype(np.uint8)
    restored = Tinting().restore_photograph(Photograph(pixels))
    assert restored.shape == pixels.shape and (restored == restored[..., :1]).all()
    floats = Tinting()(gray)
    np.testing.assert_allclose(floats, floats[..., :1].repeat(channels, -1))
    coloured = pixels.repeat(3 // channels, -1)
    coloured[3, 5] = (200, 100, 0)
    assert not (np.ptp(Tinting().restore_photograph(Photograph(coloured)), axis=-1) == 0).all()
