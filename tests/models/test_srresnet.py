import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.models.srresnet import SRResNet


@pytest.fixture
def measurements():
    """Signed values so small that no interpolation leaves [-1, 1]: [2, 6, 5, 3]."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, (2, 6, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("measured", [1, 3])
def test_the_output_is_scale_times_as_large(scale, measured):
    network = SRResNet(scale, blocks=1, width=8, measurement_channels=measured)
    outputs = network(np.full((2, 7, 5, measured), 50, np.float32))
    assert outputs.shape == (2, 7 * scale, 5 * scale, 3)
    assert np.abs(outputs).max() <= 1


def test_parameter_count_is_that_of_ledig_et_al():
    """Fig. 4 of SRGAN: k9n64, 16 blocks of two k3n64, one more, two k3n256, k9n3.

    Biases, a slope for each channel and batch norm's four vectors included.
    """
    convolutions = [(9, 3, 64), *[(3, 64, 64)] * 33, *[(3, 64, 256)] * 2, (9, 64, 3)]
    expected = sum(k * k * i * o + o for k, i, o in convolutions)
    expected += 64 * (1 + 16 + 2) + 4 * 64 * 33  # slopes and batch norms
    assert SRResNet(4).count_params() == expected == 1_554_883


@pytest.mark.parametrize("scale", [2, 4])
def test_it_starts_as_bicubic_interpolation(measurements, scale):
    """Keys' kernel: a measurement stays where it was taken; halfway the weights are -1, 9, 9, -1
    sixteenths; the image is periodic."""
    network = SRResNet(scale, blocks=1, width=8, global_skip=True)
    images = network(measurements).numpy()
    phase = scale // 2
    np.testing.assert_allclose(images[:, phase::scale, phase::scale], measurements, atol=1e-5)
    neighbours = [np.roll(measurements, shift, axis=1) for shift in (2, 1, 0, -1)]
    halfway = np.tensordot([-1 / 16, 9 / 16, 9 / 16, -1 / 16], neighbours, axes=1)
    np.testing.assert_allclose(images[:, ::scale, phase::scale], halfway, atol=1e-5)


def test_the_upsampling_goes_on_as_the_boundary_says(measurements):
    """Mirrored, the row before the first is the second."""
    network = SRResNet(2, blocks=1, width=8, global_skip=True, boundary="reflect")
    image = network(measurements).numpy()
    before = measurements[:, [2, 1, 0, 1]]
    halfway = np.tensordot([-1 / 16, 9 / 16, 9 / 16, -1 / 16], np.moveaxis(before, 1, 0), axes=1)
    np.testing.assert_allclose(image[:, 0, 1::2], halfway, atol=1e-5)


def test_it_starts_where_the_operator_has_its_light():
    """Of what was scaled down by two, halfway between the pixels that a shift of zero knows."""
    network = SRResNet(2, blocks=1, width=8, global_skip=True, shift=-0.5)
    ramp = np.tile(np.linspace(-0.5, 0.5, 20, dtype=np.float32)[:, None, None], (1, 1, 20, 3))
    image = network(ramp.reshape(1, 20, 20, 3)).numpy()[0, 8:-8, 8:-8]
    step = 1.0 / 19 / 2
    expected = -0.5 + step * (np.arange(8, 32) - 0.5)
    np.testing.assert_allclose(image.mean(axis=(1, 2)), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 4])
def test_all_pixels_may_come_of_one_convolution(measurements, scale):
    """Shi et al. 2016: k3n(c s^2) on the measurement's grid; 3 x 3 and 8 features before it."""
    network = SRResNet(scale, blocks=1, width=8, global_skip=True, subpixel=True)
    plain = SRResNet(scale, blocks=1, width=8, global_skip=True)
    np.testing.assert_allclose(network(measurements), plain(measurements), atol=1e-5)
    convolutions = [(3, 8), *[(8, 8)] * 3, (8, 3 * scale**2)]
    expected = sum(9 * i * o + o for i, o in convolutions) + 8 * (1 + 1) + 4 * 8 * 3
    assert network.count_params() == expected
    copy = SRResNet.from_config(network.get_config())
    assert copy.count_params() == expected and copy.subpixel


def test_at_scale_one_it_starts_as_the_identity(measurements):
    network = SRResNet(1, blocks=1, width=8, global_skip=True)
    np.testing.assert_array_equal(network(measurements), measurements)


def test_one_band_starts_as_gray(measurements):
    network = SRResNet(2, blocks=1, width=8, global_skip=True, measurement_channels=1)
    images = network(measurements[..., :1]).numpy()
    np.testing.assert_array_equal(images, images[..., :1].repeat(3, axis=-1))
    np.testing.assert_allclose(images[:, 1::2, 1::2, :1], measurements[..., :1], atol=1e-5)


def test_one_step_moves_every_weight(measurements):
    keras.utils.set_random_seed(0)
    network = SRResNet(4, blocks=2, width=8)
    before = [variable.numpy() for variable in network.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(measurements, training=True) ** 3)
    gradients = tape.gradient(loss, network.trainable_variables)
    keras.optimizers.SGD(1.0).apply(gradients, network.trainable_variables)
    for variable, old, gradient in zip(network.trainable_variables, before, gradients, strict=True):
        assert np.isfinite(gradient).all(), variable.path
        # A bias before a batch norm has no influence.
        if "block" not in variable.path or variable.name != "bias":
            assert np.any(variable.numpy() != old), variable.path


def test_hidden_layers_follow_the_policy_and_the_output_is_float32(measurements):
    network = SRResNet(2, blocks=1, width=8, global_skip=True, dtype="mixed_bfloat16")
    assert network.get_layer("block1_1_conv").compute_dtype == "bfloat16"
    assert {v.dtype for v in network.variables} == {"float32"}
    assert network(measurements).dtype == "float32"


def test_save_and_load_keep_every_value(tmp_path, measurements):
    network = SRResNet(2, 3, 1, 8, global_skip=True, measurement_channels=1, boundary="reflect")
    network.get_layer("last").bias.assign([0.1, 0.2, 0.3])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.get_config() == network.get_config()
    band = measurements[..., :1]
    np.testing.assert_array_equal(loaded(band), network(band))


@pytest.mark.parametrize("scale", [0, 3, 6])
def test_impossible_scales_are_refused(scale):
    with pytest.raises(ValueError, match=f"power of two. Received: {scale}"):
        SRResNet(scale)
