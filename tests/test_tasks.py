"""The paper's other two tasks (Sections 4.2 and 4.3), small, from training to export."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from inversenet_tf.config import NONE
from inversenet_tf.evaluation import evaluate
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.restoration.photographs import restore_files
from inversenet_tf.training import train

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture
def config(small_config, request):
    """x4 in colour, or x2 from one band, as `recipes` has them."""
    operator, network = small_config.operator, small_config.network
    operator.name, operator.scale, operator.kernel = request.param
    network.dae_factor, network.dae_condition = operator.scale, "inner"
    small_config.loss.adversarial_weight = 0.0  # the adversary sees images, as of any task
    small_config.training.steps = 2
    return small_config


BOTH = pytest.mark.parametrize(
    "config", [("downsampling", 4, "flat"), ("joint", 2, "chromatic")], indirect=True, ids=str
)


@BOTH
def test_train_evaluate_restore_export(config, image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("inversenet_tf.exporting.verification.SIZES", ((37, 53),))
    assert train(config, tmp_path / "run").step == 2
    scale, channels = config.operator.scale, config.measured_channels

    results = evaluate(tmp_path / "run")
    written = json.loads((tmp_path / "run" / "results.json").read_text())
    assert list(written["methods"]) == ["bicubic", "lmmse", "inverted", "restored"]
    assert written["number_of_images"] == 6
    assert all(np.isfinite(scores["psnr"]) for scores in results["methods"].values())
    assert (tmp_path / "run" / "comparison.png").stat().st_size > 10_000

    version = export_run(tmp_path / "run", tmp_path / "export", verify=True)
    serve = tf.saved_model.load(version).signatures["serving_default"]
    measurements = np.random.default_rng(0).random((2, 7, 9, channels)).astype(np.float32)
    restored = serve(measurements=tf.constant(measurements))["restored"]
    assert restored.shape == (2, 7 * scale, 9 * scale, 3)

    Image.new("RGB", (9, 7), (90, 90, 90)).save(tmp_path / "small.png")
    restorer = ExportedRestorer(tmp_path / "export")
    (path,), _ = restore_files(restorer, tmp_path / "small.png", tmp_path / "out")
    assert read_image(path).shape == (7 * scale, 9 * scale, 3)


@BOTH
def test_whole_images_of_any_size_are_scored(config, image_folder, tmp_path):
    """Trimmed to multiples of the scale; the bicubic score against a measurement by NumPy."""
    pixels = np.random.default_rng(2).integers(60, 200, (43, 47, 3), np.uint8)
    Image.fromarray(pixels).save(image_folder / "odd.png")
    config.data.evaluation_crop = "whole"
    config.operator.kernel, config.operator.kernel_size = "flat", 1  # none at all
    config.network.denoiser = NONE
    train(config, tmp_path / "run")
    results = evaluate(tmp_path / "run")
    assert results["number_of_images"] == 7
    scale = config.operator.scale
    image = pixels[: 43 - 43 % scale, : 47 - 47 % scale] / 255
    measured = image[scale // 2 :: scale, scale // 2 :: scale]
    if config.measured_channels == 1:
        measured = measured.mean(axis=-1, keepdims=True)
    upsampled = np.broadcast_to(keys(np.round(measured * 255) / 255, scale), image.shape)
    expected = peak_signal_noise_ratio(to_uint8(image), to_uint8(upsampled.clip(0, 1)))
    place = results["images"].index("odd.png")
    psnr = results["methods"]["bicubic"]["per_image"][place]["psnr"]
    assert psnr == pytest.approx(expected, abs=0.02)


def keys(measured, scale):
    """Keys' cubic convolution, a = -1/2, periodic; sample i stands at i * scale + scale // 2."""
    for axis in (0, 1):
        places = (np.arange(measured.shape[axis] * scale) - scale // 2) / scale
        distances = np.abs(places[:, None] - np.arange(-4, measured.shape[axis] + 4))
        near = 1.5 * distances**3 - 2.5 * distances**2 + 1
        far = -0.5 * distances**3 + 2.5 * distances**2 - 4 * distances + 2
        weights = np.where(distances < 1, near, np.where(distances < 2, far, 0))
        padding = [(4, 4) if a == axis else (0, 0) for a in range(3)]
        padded = np.moveaxis(np.pad(measured, padding, mode="wrap"), axis, 0)
        measured = np.moveaxis(np.tensordot(weights, padded, axes=1), 0, axis)
    return measured


@BOTH
def test_pairs_of_one_size_cannot_stand_for_a_smaller_measurement(
    config, image_folder, darker_folder, tmp_path
):
    config.data.train = config.data.validation = f"pairs:{image_folder},{darker_folder}"
    with pytest.raises(ValueError, match=f"scale 1 with pairs.*scale {config.operator.scale}"):
        train(config, tmp_path / "run")
