"""Runs, exports and priors that were written before modules and fields got their present names."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import blind_gan_tf.surrogate  # noqa: F401 - registers the surrogate's class
from blind_gan_tf.config import InversionConfig
from blind_gan_tf.prior import load_prior
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import read_config
from inversenet_tf.evaluation import evaluate
from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.trained_run import load_trained
from inversenet_tf.training import train

WRITTEN_BEFORE = Path(__file__).parent / "fixtures" / "written_before_rooms"


@pytest.fixture
def written(tmp_path):
    """A copy of one's own."""
    return shutil.copytree(WRITTEN_BEFORE, tmp_path / "written")


@pytest.fixture(scope="module")
def expected():
    """What the code that wrote the files made of a few inputs."""
    return np.load(WRITTEN_BEFORE / "expected.npz")


def test_a_work_directory_restores_as_it_did(written, expected):
    model, config, step = load_trained(written / "run")
    assert step == 4 and config.noise.quantize and config.optimizer.warmup_fraction == 0.25
    restored = ModelRestorer(model)(expected["measurements"])
    np.testing.assert_allclose(restored, expected["restored"], atol=1e-5)


def test_an_export_restores_as_it_did(written, expected):
    restored = ExportedRestorer(written / "export")(expected["measurements"])
    np.testing.assert_allclose(restored, expected["restored"], atol=1e-5)


def test_a_training_goes_on_from_its_checkpoint(written, tmp_path, monkeypatch):
    """All of the state is read, which `restore` asserts; the images are those of any folder."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), np.uint8)
    (tmp_path / "fixture_images").mkdir()
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "fixture_images" / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    model = train(read_config(written / "run", Config), written / "run")
    assert model.step == 4
    results = evaluate(written / "run")
    assert results["checkpoint"]["step"] == 4 and results["config"]["noise"]["quantize"] is True


def test_a_prior_generates_as_it_did(written, expected):
    generated = load_prior(written / "prior")(expected["latents"])
    np.testing.assert_allclose(generated, expected["generated"], atol=1e-5)


def test_an_inversion_is_read(written, expected):
    config = read_config(written / "inversion", InversionConfig)
    assert config.search.screening_rounds == 1 and config.search.random_candidates == 20
    surrogate = keras.models.load_model(written / "inversion" / "surrogate" / "000.keras")
    np.testing.assert_allclose(surrogate(expected["images"]), expected["measured"], atol=1e-5)
