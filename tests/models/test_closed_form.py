import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf import recipes
from inversenet_tf.config import Config
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.build import build_model
from inversenet_tf.models.closed_form import FACTORS, ClosedForm
from inversenet_tf.training import compile_model

TASKS = {
    "blur": recipes.motion_deblur,
    "downsampling": recipes.super_resolution,
    "joint": recipes.joint,
}


def configured(task, boundary="circular"):
    config = TASKS[task]()
    config.network.inverter, config.network.depth = "solver_unet", 3
    config.data.size, config.operator.boundary = 32, boundary
    config.network.discriminator_width = 4
    return config


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("task", TASKS)
def test_an_untrained_model_gives_the_closed_form_for_any_size(task, boundary):
    config = configured(task, boundary)
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


def test_a_step_trains_what_corrects_it(images):
    config = configured("blur")
    model = build_model(config)
    compile_model(model, config)
    before = [weight.numpy() for weight in model.inverter.trainable_weights]
    model.train_step((images, images))
    moved = [
        np.any(weight.numpy() != old)
        for weight, old in zip(model.inverter.trainable_weights, before, strict=True)
    ]
    assert moved[-1]  # the last layer begins at zero, and what is before it moves from then on
    model.train_step((images, images))
    assert all(
        np.any(weight.numpy() != old)
        for weight, old in zip(model.inverter.trainable_weights, before, strict=True)
    )


def test_it_comes_back_from_a_file(tmp_path, images):
    spectrum = Spectrum(
        1e-3, 1.2, (0.4, 0.5, 0.6), ((1.0, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 1))
    )
    layer = ClosedForm(np.full((3, 3), 1 / 9), 0.01, spectrum)
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
