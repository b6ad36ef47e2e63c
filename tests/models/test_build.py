"""Any network may take either part: built, trained, kept and used again."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.callbacks import AnnealingSnapshots
from inversenet_tf.config import NONE
from inversenet_tf.engine.layers import Upsample
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.models.build import DENOISERS, INVERTERS, build_model
from inversenet_tf.models.compiling import compile_model
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.srresnet import SRResNet
from inversenet_tf.models.unet import UNet
from inversenet_tf.trained_run import load_trained
from inversenet_tf.training import train


def compiled(config, comparator=None):
    keras.utils.set_random_seed(0)
    model = build_model(config)
    compile_model(model, config, comparator)
    return model


def values(network):
    return [variable.numpy() for variable in network.trainable_variables]


@pytest.fixture
def batch(images):
    return images * 0.8, images


@pytest.fixture
def light_config(small_config):
    """As little arithmetic as the networks allow."""
    network = small_config.network
    network.residual_blocks, network.residual_width, network.dncnn_layers = 1, 8, 3
    return small_config


@pytest.mark.parametrize(
    ("inverter", "denoiser"), list(itertools.product(INVERTERS, (*DENOISERS, NONE)))
)
def test_every_pair_trains(light_config, batch, inverter, denoiser):
    """Three steps move every weight; a layer that starts at zero holds up those before it for one.

    The residual blocks of one network have two of these, one behind the other.
    """
    light_config.network.inverter, light_config.network.denoiser = inverter, denoiser
    light_config.validate()
    model = compiled(light_config)
    before = {name: values(network) for name, network in model.networks.items()}
    parts = ["discriminator", "inverter"] + ["denoiser"] * (denoiser != NONE)
    assert list(before) == parts
    for _ in range(3):
        logs = model.train_step(batch)
    assert all(np.isfinite(value) for value in logs.values())
    for name, network in model.networks.items():
        for variable, old in zip(network.trainable_variables, before[name], strict=True):
            assert np.any(variable.numpy() != old), variable.path


def test_without_a_denoiser_there_is_one_output(light_config, batch):
    light_config.network.denoiser = NONE
    model = compiled(light_config)
    assert list(model(batch[0])) == ["restored"]
    assert set(model.evaluate(*batch, return_dict=True, verbose=0)) == {
        f"{metric}_{name}" for metric in ("psnr", "ssim") for name in ("degraded", "restored")
    }
    logs = model.train_step(batch)
    assert "inverter_loss" in logs and "denoiser_loss" not in logs


def test_a_model_without_denoiser_and_discriminator_is_saved_and_loaded(tmp_path, images):
    model = InverseNet(UNet(3), scale=2, boundary="reflect")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.denoiser is None and loaded.discriminator is None
    assert (loaded.scale, loaded.boundary) == (2, "reflect")
    np.testing.assert_array_equal(loaded(images)["restored"], model(images)["restored"])


def test_no_adversary_no_discriminator(light_config, batch):
    light_config.loss.adversarial_weight = 0.0
    model = compiled(light_config)
    assert model.discriminator is None
    assert list(model.state) == [
        "steps_taken",
        "epochs_ended",
        "rate_factor",
        "inverter",
        "inverter_optimizer",
        "inverter_random",
        "denoiser",
        "denoiser_optimizer",
        "denoiser_random",
    ]
    logs = model.train_step(batch)
    assert not any("discriminator" in name for name in logs)


def test_without_adversary_the_loss_is_the_squared_distance(light_config, batch):
    light_config.loss.adversarial_weight = 0.0
    model = compiled(light_config)
    measurements, images = (x * 2 - 1 for x in batch)
    estimates = model.inverter(measurements, training=True).numpy()
    expected = 0.5 * np.sum((estimates - images) ** 2) / len(images)
    assert float(model.train_step(batch)["inverter_loss"]) == pytest.approx(expected, rel=1e-4)


def mean_colour(images):
    return tf.reduce_mean(images, axis=[1, 2])


def steps_of(config, batch, number):
    """The weights of both generators before and after each step."""
    model = compiled(config, mean_colour)
    built = []
    for _ in range(number + 1):
        built.append(
            np.concatenate(
                [v.ravel() for n in ("inverter", "denoiser") for v in values(getattr(model, n))]
            )
        )
        if len(built) <= number:
            model.next_step(batch)
    return built


def test_pretraining_is_on_the_squared_distance_alone(light_config, batch):
    """For that many steps of both networks; from then on the other terms count."""
    light_config.loss.feature_weight = light_config.loss.adversarial_weight = 1e4
    light_config.loss.pretraining_fraction = 2 / light_config.training.steps
    pretrained = steps_of(light_config, batch, 3)
    light_config.loss.pretraining_fraction = 0.0
    whole = steps_of(light_config, batch, 1)
    light_config.loss.feature_weight = 0.0
    light_config.loss.adversarial_weight = 1e-30
    plain = steps_of(light_config, batch, 3)

    def distance(one, other):
        """Of two states, the seldom weight that has no gradient but rounding noise left out."""
        return np.mean(np.abs(one - other) > 1e-6)

    np.testing.assert_array_equal(pretrained[0], plain[0])
    assert distance(pretrained[1], plain[1]) < 0.01
    assert distance(pretrained[2], plain[2]) < 0.01
    assert distance(pretrained[3], plain[3]) > 0.2
    assert distance(whole[1], plain[1]) > 0.2


def own_inverter(channels=3):
    inputs = keras.Input((None, None, channels))
    outputs = keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="own")(inputs)
    return keras.Model(inputs, outputs)


def own_denoiser():
    z, y = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    joined = keras.layers.Concatenate()([z, y])
    return keras.Model([z, y], keras.layers.Conv2D(3, 3, padding="same", name="own")(joined))


@pytest.fixture
def custom_config(light_config):
    light_config.network.inverter = light_config.network.denoiser = "custom"
    light_config.loss.adversarial_weight = 0.0
    return light_config


def test_the_callers_own_networks_are_trained_and_kept(custom_config, images, tmp_path):
    inverter, denoiser = own_inverter(), own_denoiser()
    before = values(inverter) + values(denoiser)
    trained = train(custom_config, tmp_path / "run", inverter=inverter, denoiser=denoiser)
    assert trained.step == 4
    after = values(trained.inverter) + values(trained.denoiser)
    for old, new, callers in zip(before, after, values(inverter) + values(denoiser), strict=True):
        assert np.any(old != new)
        np.testing.assert_array_equal(callers, old)
    assert (tmp_path / "run" / "inverter.keras").is_file()
    loaded, _, step = load_trained(tmp_path / "run", "last")
    assert step == 4
    for name, output in trained(images).items():
        np.testing.assert_allclose(loaded(images)[name], output, atol=1e-6)


def test_a_run_with_own_networks_goes_on(custom_config, tmp_path, monkeypatch):
    def stop(keeper, epoch, logs=None):
        keeper.model.stop_training = True

    custom_config.runtime.annealing_snapshots = True
    with monkeypatch.context() as patch:  # the first epoch is all that comes about
        patch.setattr(AnnealingSnapshots, "on_epoch_end", stop)
        first = train(
            custom_config, tmp_path / "run", inverter=own_inverter(), denoiser=own_denoiser()
        )
    assert first.step == 2
    again = train(custom_config, tmp_path / "run", inverter=own_inverter(), denoiser=own_denoiser())
    assert again.step == 4
    loaded = load_trained(tmp_path / "run", "last")[0]
    np.testing.assert_array_equal(values(loaded.inverter)[0], values(again.inverter)[0])


def test_the_callers_own_networks_train_on_two_replicas(custom_config, tmp_path, two_replicas):
    """They are made outside the strategy's scope."""
    custom_config.runtime.replicas = 2
    trained = train(
        custom_config, tmp_path / "run", inverter=own_inverter(), denoiser=own_denoiser()
    )
    assert trained.step == 4
    kernel = trained.inverter.get_layer("own").kernel.value
    assert len(two_replicas.experimental_local_results(kernel)) == 2


@pytest.mark.parametrize("part", ["inverter", "denoiser"])
def test_the_config_tells_of_own_networks(light_config, tmp_path, part):
    own = {"inverter": own_inverter, "denoiser": own_denoiser}[part]()
    with pytest.raises(ValueError, match=f'network.{part} "custom".*Received: .*{part}=<'):
        train(light_config, tmp_path / "run", **{part: own})
    setattr(light_config.network, part, "custom")
    with pytest.raises(ValueError, match=f"network.{part}.*Received: 'custom' with {part}=None"):
        train(light_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_saved_network_would_lose_is_refused(custom_config, tmp_path):
    class Unregistered(keras.layers.Conv2D):
        pass

    inverter = own_inverter()
    inverter.multiple = 8  # of this object alone
    with pytest.raises(ValueError, match="inverter.multiple.*class.*Received: 8, and 1"):
        train(custom_config, tmp_path / "run", inverter=inverter, denoiser=own_denoiser())
    inputs = keras.Input((None, None, 3))
    inverter = keras.Model(inputs, Unregistered(3, 3, padding="same")(inputs))
    with pytest.raises(ValueError, match="Expected inverter to be a model that Keras can save"):
        train(custom_config, tmp_path / "run", inverter=inverter, denoiser=own_denoiser())
    assert not (tmp_path / "run").exists()


SIZES = [(32, 32), (7, 5), (3, 1), (37, 18)]  # of measurements


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("inverter", ["unet", "srresnet"])
@pytest.mark.parametrize(("scale", "measured"), [(4, 3), (2, 1)])
def test_images_are_scale_times_as_large(height, width, inverter, scale, measured):
    dae = DAE(scale, condition="inner", measurement_channels=measured)
    if inverter == "unet":
        network = UNet(3, measurement_channels=measured)
    else:
        network = SRResNet(scale, blocks=1, width=8, measurement_channels=measured)
    model = InverseNet(network, dae, scale=scale)
    assert model.measured_channels == measured
    outputs = model(np.zeros((2, height, width, measured), np.float32))
    for output in outputs.values():
        assert output.shape == (2, scale * height, scale * width, 3)


class Transparent(keras.Model):
    """Networks that show what they are given: z = y at the image's grid, restored = y."""

    multiple = 16

    @classmethod
    def inverter(cls, channels):
        inputs = keras.Input((None, None, channels))
        return cls(inputs, keras.layers.Identity()(inputs))

    @classmethod
    def denoiser(cls, channels, scale):
        z, y = keras.Input((None, None, channels)), keras.Input((None, None, channels))
        blocks = keras.layers.UpSampling2D(scale)(y)
        return cls([z, y], keras.layers.Add()([blocks, keras.layers.Rescaling(0.0)(z)]))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("scale", "channels"), [(4, 3), (2, 1)])
def test_each_part_sees_the_measurement_on_its_grid(height, width, scale, channels):
    """The U-Net's part sees it upsampled, the DAE's part as it is, also where it had to be padded.

    At the pixels that downsampling keeps, the upsampled measurement is y itself.
    """
    model = InverseNet(
        Transparent.inverter(channels), Transparent.denoiser(channels, scale), scale=scale
    )
    generator = np.random.default_rng(0)
    y = generator.uniform(0.3, 0.7, (2, height, width, channels)).astype(np.float32)
    outputs = model(y)
    kept = outputs["inverted"][:, scale // 2 :: scale, scale // 2 :: scale]
    np.testing.assert_allclose(kept, y, atol=1e-5)
    blocks = y.repeat(scale, axis=1).repeat(scale, axis=2)
    np.testing.assert_allclose(outputs["restored"], blocks, atol=1e-6)


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
def test_a_measurement_whose_image_fits_is_not_extended(boundary):
    """The image, 24 x 8, is a multiple of the U-Net's 8, though the measurement is none."""
    unet = UNet(3)
    y = np.random.default_rng(0).uniform(0.3, 0.7, (1, 6, 2, 3)).astype(np.float32)
    restored = InverseNet(unet, scale=4, boundary=boundary)(y)["restored"]
    expected = unet(Upsample(4, boundary)(y * 2 - 1))
    np.testing.assert_allclose(restored * 2 - 1, expected, atol=1e-5)


@pytest.mark.parametrize("inverter", INVERTERS)
def test_the_boundary_is_the_operators(light_config, inverter):
    light_config.network.inverter = inverter
    light_config.operator.boundary = "reflect"
    model = build_model(light_config)
    assert model.boundary == "reflect"
    assert getattr(model.inverter, "boundary", "reflect") == "reflect"


def test_a_constant_measurement_is_upsampled_to_a_constant():
    model = InverseNet(Transparent.inverter(3), scale=4)
    image = model(np.full((1, 7, 5, 3), 0.3, np.float32))["restored"]
    np.testing.assert_allclose(image, 0.3, atol=1e-6)


def test_a_network_that_upsamples_sees_the_measurement_itself():
    """SRResNet's first estimate is then its own interpolation, not that of an interpolation."""
    network = SRResNet(4, blocks=1, width=8, global_skip=True)
    y = np.random.default_rng(0).uniform(0.3, 0.7, (1, 6, 5, 3)).astype(np.float32)
    restored = InverseNet(network, scale=4)(y)["restored"]
    np.testing.assert_allclose(restored, (network(y * 2 - 1) + 1) / 2, atol=1e-6)


def test_an_export_upsamples_any_size(tmp_path):
    model = InverseNet(UNet(2, measurement_channels=1), DAE(2, 3, "inner", 1), scale=2)
    version = export_model(model, tmp_path / "export")
    serve = tf.saved_model.load(version).signatures["serving_default"]
    for shape in [(1, 7, 5, 1), (3, 16, 32, 1)]:
        measurements = np.random.default_rng(0).random(shape).astype(np.float32)
        restored = serve(measurements=tf.constant(measurements))["restored"]
        assert restored.shape == (shape[0], 2 * shape[1], 2 * shape[2], 3)
        np.testing.assert_allclose(restored, model.restore(measurements)["restored"], atol=1e-5)


def test_networks_that_do_not_fit_the_images_are_refused_first(custom_config, tmp_path):
    def refused(message, inverter, denoiser):
        with pytest.raises(ValueError, match=message):
            train(custom_config, tmp_path / "run", inverter=inverter, denoiser=denoiser)
        assert not (tmp_path / "run").exists()

    refused("Expected networks for measurements of", own_inverter(channels=1), own_denoiser())
    shrinking = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3)])
    refused("Expected (inverted|restored) images of|Expected networks", own_inverter(), shrinking)
    custom_config.network.inverter = "neural_deblur"
    custom_config.data.size = 40
    refused("multiple of 16, as network.inverter needs. Received: 40", None, own_denoiser())
