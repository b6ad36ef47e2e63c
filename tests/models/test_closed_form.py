import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf import recipes
from inversenet_tf.config import SOLVERS, Config
from inversenet_tf.imaging.physics.borders import unseen
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.imaging.physics.solvers import expected_error, period_of
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.build import build_model
from inversenet_tf.models.closed_form import FACTORS, REACH, UNSEEN_ERROR, ClosedForm
from inversenet_tf.models.compiling import compile_model

TASKS = {
    "blur": recipes.motion_deblur,
    "downsampling": recipes.super_resolution,
    "joint": recipes.joint,
}


def configured(task, boundary="circular", inverter="solver_unet"):
    config = TASKS[task]()
    config.network.inverter, config.network.depth = inverter, 3
    config.network.residual_blocks, config.network.residual_width = 2, 8
    config.data.size, config.operator.boundary = 32, boundary
    config.network.discriminator_width = 4
    return config


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("inverter", SOLVERS)
def test_an_untrained_model_gives_the_closed_form_for_any_size(inverter, task, boundary):
    config = configured(task, boundary, inverter)
    config.validate()
    model = build_model(config, with_discriminator=False)
    scale, operator = config.operator.scale, build_operator(config.operator)
    images = np.random.default_rng(0).random((2, 36 * scale, 44 * scale, 3)).astype(np.float32)
    measurements = operator(images)
    assert model.measured_channels == measurements.shape[-1]
    inverted = tf.function(model.restore)(measurements)["inverted"]
    expected = np.clip(model.closed_form(measurements)[0], 0.0, 1.0)
    assert inverted.shape == images.shape
    np.testing.assert_allclose(inverted, expected, atol=1e-5)


@pytest.mark.parametrize("inverter", SOLVERS)
def test_a_few_steps_train_all_that_corrects_it(images, inverter):
    config = configured("blur", inverter=inverter)
    model = build_model(config)
    compile_model(model, config)
    before = [weight.numpy() for weight in model.inverter.trainable_weights]
    model.train_step((images, images))
    moved = [
        np.any(weight.numpy() != old)
        for weight, old in zip(model.inverter.trainable_weights, before, strict=True)
    ]
    assert moved[-1]  # the last layer begins at zero, and what is before it moves from then on
    for _ in range(2):  # of a residual block, too, the last layer begins at zero
        model.train_step((images, images))
    assert all(
        np.any(weight.numpy() != old)
        for weight, old in zip(model.inverter.trainable_weights, before, strict=True)
    )


def test_it_comes_back_from_a_file(tmp_path, images):
    spectrum = Spectrum(
        1e-3, 1.2, (0.4, 0.5, 0.6), ((1.0, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 1))
    )
    layer = ClosedForm(np.full((3, 3), 1 / 9), noise_sigma=0.01, spectrum=spectrum)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layer(inputs)[0])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(images), model(images), atol=1e-6)
    assert len(layer(images)) == len(FACTORS)


def test_the_denoiser_learns_at_its_own_rate():
    config = configured("blur")
    config.optimizer.denoiser_factor = 0.25
    model = build_model(config)
    compile_model(model, config)
    rates = {
        name: float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        for name, optimizer in model.optimizers.items()
    }
    assert rates["denoiser"] == pytest.approx(0.25 * rates["inverter"])


def test_what_the_closed_form_does_not_fit_is_refused():
    config = Config()
    config.network.inverter, config.operator.name = "solver_unet", "identity"
    with pytest.raises(ValueError, match="Expected operator.name in .* Received: 'identity'"):
        config.validate()
    config = configured("blur")
    config.data.crop, config.data.margin = "random", 4
    with pytest.raises(ValueError, match="Expected data.margin 0"):
        config.validate()


def test_the_dae_works_on_the_grid_of_the_measurement(images):
    config = configured("blur")
    config.network.dae_factor = 1
    config.validate()
    model = build_model(config, with_discriminator=False)
    assert model.denoiser.multiple == 1
    assert model.restore(images)["restored"].shape == images.shape


SIGMAS = np.array([0.0, 0.03], np.float32)


def told(images):
    return np.stack([linear_motion(5)] * len(images)), SIGMAS


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
def test_where_scaled_what_follows_is_in_units_of_the_expected_error(images, boundary):
    images = images[:2]
    plain = ClosedForm(boundary=boundary)(images, *told(images))
    first, reach, *others, noise = ClosedForm(boundary=boundary, scaled=True)(images, *told(images))
    size = tf.shape(images)[1:3]
    variance = FACTORS[0] * (ROUNDING_VARIANCE + SIGMAS**2)
    period = size if boundary == "circular" else period_of(linear_motion(5), size)
    error = expected_error(linear_motion(5), variance, Spectrum().for_channels(3), period).numpy()
    expected = np.broadcast_to(error[:, None, None, None], (2, *images.shape[1:3], 1))
    if boundary == "reflect":
        border = UNSEEN_ERROR * unseen(linear_motion(5), size).numpy()
        assert border[0, 0].max() > 0.04 and border[0, 16, 16] < 1e-6
        expected = np.sqrt(expected**2 + border**2)
    np.testing.assert_allclose(reach, REACH * expected, rtol=1e-4)
    np.testing.assert_allclose(first, plain[0], atol=1e-6)
    np.testing.assert_allclose(noise, plain[-1], atol=1e-6)
    for scaled, estimate in zip(others, plain[1:-1], strict=True):
        difference = (estimate - plain[0]) / expected
        np.testing.assert_allclose(2.0 * scaled - 1.0, difference, atol=2e-3)


def scaled_config():
    config = recipes.any_blur()
    config.operator.kernel_size, config.network.depth, config.network.width = 5, 2, 8
    config.data.size, config.training.precision = 32, "float32"
    return config


def test_a_scaled_correction_is_within_reach_of_the_closed_form(images):
    images = images[:2]
    model = build_model(scaled_config(), with_discriminator=False)
    kernels, sigmas = told(images)
    inputs = {"measurements": images, "kernels": kernels, "noise_sigmas": sigmas}
    last = model.inverter.get_layer("d2_conv")
    last.set_weights([np.zeros_like(last.kernel), np.full(3, 50.0, np.float32)])  # tanh: 1
    first, reach, *_ = model.closed_form(images, kernels, sigmas)
    np.testing.assert_allclose(model(inputs)["restored"], first + reach, atol=1e-5)


def test_strong_and_weak_noise_count_alike_where_scaled(images):
    """The loss is the same for errors that are as many times what was expected."""
    images = tf.convert_to_tensor(images[:1])
    config = scaled_config()
    losses = []
    for sigma in (0.003, 0.03):
        model = build_model(config)
        compile_model(model, config)
        inputs = {"measurements": images, "kernels": linear_motion(5)[None]}
        inputs["noise_sigmas"] = np.array([sigma], np.float32)
        first, reach, *_ = model.closed_form(*inputs.values())
        true = first + 0.5 * reach / REACH
        losses.append(float(model.pretrain_step((inputs, true))["inverter_loss"]))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.parametrize("task", ["downsampling", "joint"])
def test_upsampling_is_corrected_in_units_of_its_expected_error(task):
    config = configured(task)
    config.network.scaled_correction = True
    config.validate()
    model = build_model(config, with_discriminator=False)
    generator = np.random.default_rng(0)
    measured = generator.random((2, 16, 16, config.measured_channels)).astype(np.float32)
    first, reach, *_ = model.closed_form(measured)
    size, form = tf.shape(first)[1:3], model.closed_form
    settings = {"scale": form.scale, "phase": form.phase, "to_gray": form.to_gray}
    variance, spectrum = FACTORS[0] * ROUNDING_VARIANCE, Spectrum().for_channels(3)
    error = expected_error(form.kernel, variance, spectrum, size, **settings)
    assert 0.02 < float(error[0]) < 0.33  # the deviation of images of that spectrum is 0.337
    np.testing.assert_allclose(reach, np.full_like(reach, REACH * error[0]), rtol=1e-5)
    assert model(measured)["restored"].shape == first.shape
