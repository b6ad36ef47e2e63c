import keras
import numpy as np
import pytest

from inversenet_tf.models.unet import UNet

TABLE_3 = {
    "e1": (128, 16),
    "e2": (64, 32),
    "e3": (32, 64),
    "e4": (16, 128),
    "e5": (8, 128),
    "e6": (4, 128),
    "e7": (2, 128),
    "e8": (1, 128),
    "d1": (2, 256),
    "d2": (4, 256),
    "d3": (8, 256),
    "d4": (16, 256),
    "d5": (32, 128),
    "d6": (64, 64),
    "d7": (128, 32),
    "d8": (256, 3),
}


def test_layers_have_the_shapes_of_table_3():
    unet = UNet(depth=8)
    outputs = [unet.get_layer(name).output for name in TABLE_3]
    activations = keras.Model(unet.inputs, outputs)(np.zeros((1, 256, 256, 3), np.float32))
    for (name, (side, channels)), features in zip(TABLE_3.items(), activations, strict=True):
        assert features.shape == (1, side, side, channels), name


def test_parameter_count_is_that_of_table_3():
    """Biases, batch norm's scale, offset and two moving statistics included."""
    down = [3, 16, 32, 64, 128, 128, 128, 128, 128]
    up_in = [128, 256, 256, 256, 256, 128, 64, 32]
    up_out = [128, 128, 128, 128, 64, 32, 16, 3]
    convolutions = list(zip(down[:-1], down[1:], strict=True)) + list(
        zip(up_in, up_out, strict=True)
    )
    expected = sum(16 * i * o + o for i, o in convolutions) + 4 * (sum(down[2:]) + sum(up_out[:-1]))
    assert UNet(depth=8).count_params() == expected == 3_408_803
    assert UNet(depth=6).count_params() == 1_833_379


def test_every_weight_counts(images):
    """No weight of the network is without influence on its output."""
    import tensorflow as tf

    unet = UNet(depth=3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(unet(images, training=True) ** 3)
    for variable, gradient in zip(
        unet.trainable_variables, tape.gradient(loss, unet.trainable_variables), strict=True
    ):
        assert np.isfinite(gradient).all(), variable.path
        # A bias before a batch norm has no influence, whatever the table says.
        if variable.name != "bias":
            assert np.any(gradient != 0), variable.path


@pytest.mark.parametrize("channels", [1, 3])
def test_output_is_a_tanh_of_the_inputs_size(channels):
    unet = UNet(depth=3, channels=channels)
    outputs = unet(np.ones((2, 24, 16, channels), np.float32) * 50)
    assert outputs.shape == (2, 24, 16, channels)
    assert np.abs(outputs).max() <= 1


def test_global_skip_adds_the_input(images):
    plain, skipping = UNet(depth=3), UNet(depth=3, global_skip=True)
    skipping.set_weights(plain.get_weights())
    np.testing.assert_allclose(skipping(images), plain(images) + images, atol=1e-6)


def test_hidden_layers_follow_the_policy_and_the_output_is_float32(images):
    unet = UNet(depth=3, dtype="mixed_bfloat16")
    assert unet.get_layer("e2").compute_dtype == "bfloat16"
    assert {v.dtype for v in unet.variables} == {"float32"}
    assert unet(images).dtype == "float32"


def test_save_and_load_keep_every_value(tmp_path, images):
    unet = UNet(depth=3, global_skip=True)
    unet.save(tmp_path / "unet.keras")
    loaded = keras.saving.load_model(tmp_path / "unet.keras")
    assert loaded.get_config() == unet.get_config()
    np.testing.assert_array_equal(loaded(images), unet(images))


def test_impossible_depths_are_refused():
    with pytest.raises(ValueError, match="Received: 9"):
        UNet(depth=9)
