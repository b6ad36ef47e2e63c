"""The half-step from z that the DAE sees: its formula, its place in the model, and what it does."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from dense_model import dense_model

from inversenet_tf import recipes
from inversenet_tf.callbacks import DenoiserAlarm
from inversenet_tf.config import Config
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.imaging.physics.kernels import chromatic, gaussian, linear_motion
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE, round_to_8_bits
from inversenet_tf.imaging.physics.operators import (
    Blur,
    Compose,
    Downsampling,
    SpectralMean,
    build_operator,
)
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.build import build_model, check_networks
from inversenet_tf.models.compiling import compile_model
from inversenet_tf.models.half_step import HalfStep
from inversenet_tf.restoration.exported_restorer import ExportedRestorer

COVARIANCE = ((1.2, 0.9, 0.7), (0.9, 1.0, 0.8), (0.7, 0.8, 0.8))
COLOURS = Spectrum(2e-3, 1.0, (0.4, 0.5, 0.6), COVARIANCE)
UNCORRELATED = dataclasses.replace(COLOURS, covariance=((1.2, 0, 0), (0, 1.0, 0), (0, 0, 0.8)))
SIGMA, FRACTION = 0.02, 0.1
DECIMATED = {"scale": 2, "phase": 1}
CASES = {
    "blur": (Blur(linear_motion(3)), COLOURS, {}),
    "downsampling": (Compose(Blur(gaussian(3)), Downsampling(2)), UNCORRELATED, DECIMATED),
    "gray": (Compose(Blur(gaussian(3)), SpectralMean()), COLOURS, {"to_gray": True}),
    "joint": (
        Compose(Blur(chromatic(3)), Downsampling(2), SpectralMean()),
        COLOURS,
        DECIMATED | {"to_gray": True},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_half_step_is_that_of_dense_matrices(case):
    """z + S' A^T (A S' A^T + sigma^2)^-1 (y - A z), on images of 8 x 8."""
    operator, spectrum, settings = CASES[case]
    generator = np.random.default_rng(0)
    images = generator.random((2, 8, 8, 3)).astype(np.float32)
    inverted = (images + 0.05 * generator.normal(size=images.shape)).astype(np.float32)
    measurements = operator(images).numpy()
    layer = HalfStep(
        operator.kernel, noise_sigma=SIGMA, spectrum=spectrum, fraction=FRACTION, **settings
    )
    stepped = tf.function(layer)(inverted, measurements).numpy()
    matrix, prior = dense_model(operator, spectrum, (8, 8))
    prior = FRACTION * prior
    variance = (SIGMA**2 + ROUNDING_VARIANCE) * np.eye(len(matrix))
    gain = prior @ matrix.T @ np.linalg.inv(matrix @ prior @ matrix.T + variance)
    for z, y, estimate in zip(inverted, measurements, stepped, strict=True):
        expected = z.ravel() + gain @ (y.ravel() - matrix @ z.ravel())
        np.testing.assert_allclose(estimate.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("kernel", [linear_motion(5), chromatic(5)], ids=["gray", "colours"])
def test_a_kernel_that_is_told_is_the_one_that_counts(images, boundary, kernel):
    sigmas = np.array([0.0, 0.02], np.float32)
    inverted = 0.9 * images
    told = np.stack([kernel] * 2), sigmas
    together = HalfStep(boundary=boundary)(inverted, images, *told)
    for index, sigma in enumerate(sigmas):
        own = HalfStep(kernel, noise_sigma=float(sigma), boundary=boundary)
        alone = own(inverted[index : index + 1], images[index : index + 1])
        np.testing.assert_allclose(together[index], alone[0], atol=1e-4)
    with pytest.raises(ValueError, match="kernel"):
        HalfStep()(inverted, images)


TASKS = {
    "blur": recipes.motion_deblur,
    "downsampling": recipes.super_resolution,
    "joint": recipes.joint,
}


def configured(task="blur", boundary="circular", inverter="unet"):
    config = TASKS[task]()
    config.network.half_step, config.network.global_skip = 0.3, True
    config.network.inverter, config.network.depth = inverter, 2
    config.data.size, config.operator.boundary = 32, boundary
    config.network.dae_factor = config.operator.scale  # 1 where it deblurs
    config.network.discriminator_width = 4
    config.validate()
    return config


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("inverter", ["unet", "solver_unet"])
def test_an_untrained_denoiser_gives_the_half_step_for_any_size(task, boundary, inverter):
    """With the global skip, as its correction begins at zero."""
    config = configured(task, boundary, inverter)
    model = build_model(config, with_discriminator=False)
    check_networks(model, config)
    scale = config.operator.scale
    images = np.random.default_rng(0).random((2, 18 * scale, 15 * scale, 3)).astype(np.float32)
    measurements = build_operator(config.operator)(images)
    outputs = tf.function(model)(measurements)
    expected = model.half_step(outputs["inverted"], measurements)
    np.testing.assert_allclose(outputs["restored"], expected, atol=1e-4)
    assert np.abs(outputs["restored"] - outputs["inverted"]).max() > 1e-3


def test_a_model_comes_back_from_a_file_and_as_an_export(images, tmp_path):
    model = build_model(configured(), with_discriminator=False)
    restored = model.restore(images)["restored"]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.restore(images)["restored"], restored, atol=1e-5)
    exported = ExportedRestorer(export_model(model, tmp_path / "export"))
    np.testing.assert_allclose(exported(images), restored, atol=1e-4)


def test_what_the_half_step_does_not_fit_is_refused():
    for section, field, value, expected in (
        ("network", "denoiser", "dncnn", 'Expected network.denoiser "dae" with network.half_step'),
        ("operator", "name", "identity", "Expected operator.name in .* with network.half_step"),
        ("data", "train", "pairs:sharp,blurred", "Expected network.half_step 0 with pairs"),
    ):
        config = configured()
        setattr(getattr(config, section), field, value)
        with pytest.raises(ValueError, match=expected):
            config.validate()
    assert not Config().network.half_step  # the paper's denoiser has none


def test_a_denoiser_that_sees_the_half_step_learns_and_stays_alive(warned):
    """200 steps at the learning rate of the two-core recipe, which shut off a DAE without it."""
    config = configured()
    config.network.depth, config.data.size = 3, 16
    config.loss.adversarial_weight = 0.0
    config.optimizer.learning_rate, config.optimizer.denoiser_factor = 2e-3, 0.2
    config.training.steps = DenoiserAlarm.FIRST_STEP
    keras.utils.set_random_seed(0)
    model = build_model(config)
    compile_model(model, config)
    generator = np.random.default_rng(0)
    coarse = generator.uniform(-0.2, 1.2, (4, 4, 4, 3)).astype(np.float32)
    images = tf.clip_by_value(tf.image.resize(coarse, (16, 16), "bicubic"), 0.0, 1.0)
    measurements = round_to_8_bits(build_operator(config.operator)(images))
    step = tf.function(lambda: model.train_step((measurements, images)))
    for _ in range(config.training.steps):
        step()
    outputs = model(measurements, training=False)
    alarm = DenoiserAlarm(measurements, images)
    alarm.set_model(model)
    alarm.on_epoch_end(0)
    assert "the denoiser changes next to nothing" not in warned()
    errors = {name: float(tf.norm(images - estimate)) for name, estimate in outputs.items()}
    stepped = model.half_step(outputs["inverted"], measurements)
    assert errors["restored"] < 0.9 * errors["inverted"]
    assert float(tf.norm(outputs["restored"] - stepped)) > 0.03 * errors["inverted"]
    features = keras.Model(model.denoiser.inputs, model.denoiser.get_layer("relu5").output)
    taken = [2.0 * estimate - 1.0 for estimate in (outputs["inverted"], stepped, measurements)]
    assert np.mean(features(taken) > 0) > 0.05
