import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.models.dncnn import DnCNN


@pytest.mark.parametrize("channels", [1, 3])
def test_it_starts_as_the_identity_at_any_size(channels):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 7, 5, channels)).astype(np.float32)
    np.testing.assert_array_equal(DnCNN(channels, layers=4, width=8)(images), images)


def test_the_last_convolution_is_subtracted(images):
    network = DnCNN(layers=3, width=8)
    network.get_layer("conv3").bias.assign([0.1, 0.2, 0.3])
    np.testing.assert_allclose(network(images), images - [0.1, 0.2, 0.3], atol=1e-6)


def test_parameter_count_is_that_of_zhang_et_al():
    """17 layers of 3 x 3 and 64 features; biases and batch norm's four vectors included."""
    convolutions = [(1, 64), *[(64, 64)] * 15, (64, 1)]
    expected = sum(9 * i * o + o for i, o in convolutions) + 15 * 4 * 64
    assert DnCNN(channels=1).count_params() == expected == 558_977


def test_the_receptive_field_is_that_of_zhang_et_al():
    """35 x 35 of 17 layers (Section III-A), with weights of one sign, so that nothing cancels."""
    network = DnCNN(channels=1, width=2)
    for variable in network.trainable_variables:
        if variable.name == "kernel":
            variable.assign(tf.fill(variable.shape, 0.1))
    inputs = tf.ones((1, 51, 51, 1))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = network(inputs, training=False)[0, 25, 25, 0]
    seen = tape.gradient(value, inputs)[0, ..., 0].numpy() != 0
    expected = np.zeros((51, 51), bool)
    expected[8:43, 8:43] = True
    np.testing.assert_array_equal(seen, expected)


def test_two_steps_move_every_weight(images):
    """The last convolution starts at zero, so the others have to wait for it."""
    keras.utils.set_random_seed(0)
    network, optimizer = DnCNN(layers=4, width=8), keras.optimizers.SGD(1e-2)
    before = [variable.numpy() for variable in network.trainable_variables]
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((network(images, training=True) - images**2) ** 2)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
    for variable, old in zip(network.trainable_variables, before, strict=True):
        before_norm = variable.path.split("/")[-2] in ("conv2", "conv3")
        if not (variable.name == "bias" and before_norm):  # without influence
            assert np.any(variable.numpy() != old), variable.path


def test_save_and_load_keep_every_value(tmp_path, images):
    network = DnCNN(layers=4, width=8, dtype="mixed_bfloat16")
    network.get_layer("conv4").bias.assign([0.1, 0.2, 0.3])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.get_config() == network.get_config()
    assert network(images).dtype == "float32"
    np.testing.assert_array_equal(loaded(images), network(images))


def test_too_few_layers_are_refused():
    with pytest.raises(ValueError, match="layers from 3 to 500. Received: 2"):
        DnCNN(layers=2)
