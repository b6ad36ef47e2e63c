import io

import hostile_requests
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from blind_gan_tf.experiment import run_inversion
from blind_gan_tf.export import _surrogate_file, export_prior, export_surrogate
from blind_gan_tf.inversion_files import SURROGATES
from blind_gan_tf.prior import load_prior
from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import read_metadata


def test_a_generator_answers_with_images_and_with_files(tiny_prior, tmp_path):
    version = export_prior(tiny_prior, tmp_path / "digits", verified=True)
    signatures = tf.saved_model.load(version).signatures
    prior = load_prior(tiny_prior)
    latents = prior.latents.draw((3,), [5, 6])
    images = signatures["serving_default"](latents=latents)["images"]
    np.testing.assert_allclose(images, prior(latents), atol=1e-5)
    files = signatures["generate_bytes"](latents=latents)["image_bytes"].numpy()
    for contents, image in zip(files, images, strict=True):
        with Image.open(io.BytesIO(contents)) as picture:
            np.testing.assert_array_equal(np.asarray(picture), to_uint8(image)[..., 0])
    metadata = read_metadata(version)
    assert metadata["latents"] == {"size": 8, "distribution": "uniform"}
    assert metadata["training"]["step"] == 2 and metadata["warmup_requests"] == 3
    assert metadata["verification"]["largest_difference"] <= 1e-5
    hostile_requests.check(version)
    check_operations(version)


def test_an_operator_measures_images_of_any_size(separation, tmp_path):
    separation.problem.number, separation.problem.group_size = 2, 1
    separation.methods = ["blind"]
    run_inversion(separation, tmp_path / "run")
    with pytest.raises(ValueError, match="Expected --group, from 0 to 1"):
        export_surrogate(tmp_path / "run", tmp_path / "mixing")
    with pytest.raises(ValueError, match="from 0 to 1. Received: 2"):
        export_surrogate(tmp_path / "run", tmp_path / "mixing", group=2)
    assert not (tmp_path / "mixing").exists()
    version = export_surrogate(tmp_path / "run", tmp_path / "mixing", group=1, verified=True)
    assert read_metadata(version)["group"] == 1
    kept = tf.keras.models.load_model(tmp_path / "run" / "surrogate" / "001.keras")
    serve = tf.saved_model.load(version).signatures["serving_default"]
    images = np.random.default_rng(0).random((2, 9, 7, 2)).astype(np.float32)
    measurements = serve(images=tf.constant(images))["measurements"]
    assert measurements.shape == (2, 9, 7, 3)
    np.testing.assert_allclose(measurements, kept(images), atol=1e-6)
    hostile_requests.check(version)


def test_what_cannot_be_exported(tiny_prior, tmp_path):
    with pytest.raises(ValueError, match="config.json"):
        export_surrogate(tmp_path, tmp_path / "model")
    with pytest.raises(ValueError, match="Expected a trained prior"):
        export_prior(tmp_path, tmp_path / "model")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="directory to write to"):
        export_prior(tiny_prior, tmp_path / "file")


def test_groups_are_counted_by_their_numbers(tmp_path):
    (tmp_path / SURROGATES).mkdir()
    for group in range(1001):
        (tmp_path / SURROGATES / f"{group:03d}.keras").touch()
    for group in (101, 1000):
        assert _surrogate_file(tmp_path, group).stem == str(group)
