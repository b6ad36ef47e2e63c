import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.imaging.physics.kernels import chromatic, gaussian
from inversenet_tf.models.closed_form import ClosedForm
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.unet import UNet
from inversenet_tf.restoration import model_restorer
from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.serving.saved_models import write_version


@pytest.fixture
def model():
    return InverseNet(UNet(3, global_skip=True), DAE(global_skip=True))


def test_any_size_is_restored_to_its_size(model):
    restorer = ModelRestorer(model)
    for shape in [(1, 32, 32, 3), (2, 37, 53, 3), (1, 255, 257, 3)]:
        measurements = np.random.default_rng(0).random(shape).astype(np.float32)
        outputs = restorer.estimates(measurements)
        assert outputs["restored"].shape == shape
        expected = np.clip(model(measurements)["restored"], 0, 1)
        np.testing.assert_allclose(outputs["restored"], expected, atol=1e-5)


def test_the_first_small_image_is_restored_without_a_graph(model, monkeypatch):
    eagerly, restore = [], model.frozen_restore()

    def recorded(inputs):
        eagerly.append(tf.executing_eagerly())
        return restore(inputs)

    monkeypatch.setattr(model, "frozen_restore", lambda: recorded)
    small = np.random.default_rng(0).random((1, 37, 53, 3)).astype(np.float32)
    restorer = ModelRestorer(model)
    first, second = (restorer.estimates(small)["restored"] for _ in range(2))
    assert eagerly == [True, False]
    np.testing.assert_allclose(first, second, atol=1e-5)
    monkeypatch.setattr(model_restorer, "SMALL", 37 * 53 - 1)
    ModelRestorer(model).estimates(small)
    assert eagerly == [True, False, False]


@pytest.mark.parametrize("names", [("gray", "colours"), ("colours", "gray")])
def test_kernels_of_one_channel_and_of_three_are_told_in_turn(names, monkeypatch):
    monkeypatch.setattr(model_restorer, "SMALL", 0)  # so that graphs are compiled
    taken = keras.Input((None, None, 16))  # the measurement, four estimates and the noise
    inverter = keras.Model(taken, keras.layers.Conv2D(3, 1)(taken))
    model = InverseNet(inverter, closed_form=ClosedForm())
    restorer = ModelRestorer(model)
    image = np.random.default_rng(0).random((1, 16, 16, 3)).astype(np.float32)
    for name in names:
        kernel = {"gray": gaussian(5, 1.0), "colours": chromatic(5, 1.0)}[name]
        expected = model.restore(as_told(image, kernel[np.newaxis]))["restored"]
        np.testing.assert_allclose(restorer(image, kernel), expected, atol=1e-4)


def test_an_export_restores_as_the_model_does(model, tmp_path):
    export_model(model, tmp_path)
    exported, own = ExportedRestorer(tmp_path), ModelRestorer(model)
    assert exported.spec == own.spec == ExportedRestorer(tmp_path / "1").spec
    measurements = np.random.default_rng(0).random((2, 37, 53, 3)).astype(np.float32)
    for name, images in own.estimates(measurements).items():
        np.testing.assert_allclose(exported.estimates(measurements)[name], images, atol=1e-5)


def test_the_latest_version_is_used(model, tmp_path):
    measurements = np.full((1, 8, 8, 3), 0.3, np.float32)
    export_model(model, tmp_path)
    for weight in model.denoiser.trainable_weights:
        weight.assign(weight + 0.1)
    export_model(model, tmp_path)
    first, latest = (ExportedRestorer(place)(measurements) for place in (tmp_path / "1", tmp_path))
    np.testing.assert_allclose(latest, ModelRestorer(model)(measurements), atol=1e-5)
    assert np.abs(latest - first).max() > 0.01


def test_what_restores_no_images(tmp_path):
    with pytest.raises(ValueError, match="Expected a SavedModel"):
        ExportedRestorer(tmp_path)
    spec = tf.TensorSpec((None,), tf.float32, "latents")
    signatures = {"serving_default": (lambda latents: {"images": latents}, [spec])}
    write_version(tmp_path, signatures, {"model": "generator"}, [])
    with pytest.raises(ValueError, match="export of an InverseNet .* Received: one of a generator"):
        ExportedRestorer(tmp_path)
