import keras
import numpy as np
import pytest
import tensorflow as tf

from blind_gan_tf.frozen import block_kernel, frozen, transposed_to_few
from blind_gan_tf.networks import NETWORKS


def randomised(network, seed=0):
    """The network with batch norms that do something."""
    generator = np.random.default_rng(seed)

    def random(weight):
        if len(weight.shape) == 1:
            return generator.uniform(0.5, 1.5, weight.shape)
        return generator.normal(size=weight.shape) * 0.2

    network.set_weights([random(weight) for weight in network.weights])
    return network


def value_and_gradient(function, inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(inputs)
        loss = tf.reduce_sum(tf.sin(outputs))
    return outputs, tape.gradient(loss, inputs)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("which", [0, 1])
def test_a_frozen_network_and_its_gradient_are_the_networks(name, which):
    channels = {"dcgan": 3, "digits": 1}[name]
    network = randomised(NETWORKS[name][which](channels, width=3, latent_size=5))
    shape = (2, *network.input_shape[1:])
    inputs = tf.random.stateless_uniform(shape, [0, 1], -1.0, 1.0)
    expected = value_and_gradient(lambda x: network(x, training=False), inputs)
    found = value_and_gradient(frozen(network), inputs)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_generators_batch_norms_and_layers_of_few_channels_are_gone(name):
    network = NETWORKS[name][0](width=8, latent_size=3)
    run = tf.function(frozen(network)).get_concrete_function(tf.TensorSpec((1, 3)))
    kinds = [operation.type for operation in run.graph.get_operations()]
    assert not {"FusedBatchNormV3", "Rsqrt"} & set(kinds)
    transposed = sum(isinstance(x, keras.layers.Conv2DTranspose) for x in network.layers)
    assert kinds.count("Conv2DBackpropInput") == transposed - 2  # but the first and the last


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("few", [1, 3])
def test_blocks_make_a_transposed_convolution(stride, few):
    kernel = tf.random.stateless_normal((4, 4, few, 5), [0, 2])
    features = tf.random.stateless_normal((2, 8, 12, 5), [0, 3])
    shape = (2, 8 * stride, 12 * stride, few)
    expected = tf.nn.conv2d_transpose(features, kernel, shape, stride, "SAME")
    found = transposed_to_few(features, block_kernel(kernel, stride), stride)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_hidden_precision_is_kept():
    network = randomised(NETWORKS["dcgan"][0](width=4, latent_size=5, dtype="mixed_bfloat16"))
    latents = tf.random.stateless_uniform((2, 5), [0, 1], -1.0, 1.0)
    outputs = frozen(network)(latents)
    assert outputs.dtype == tf.float32
    np.testing.assert_allclose(outputs, network(latents, training=False), atol=0.1)
    exact = type(network).from_config(network.get_config() | {"dtype": None})
    exact.set_weights(network.get_weights())
    assert np.abs(outputs - exact(latents, training=False)).max() > 1e-4


@pytest.mark.parametrize("kind", ["branches", "a layer that is not known", "relu inside"])
def test_any_other_network_is_called_as_it_is(kind):
    inputs = keras.Input((8, 8, 2))
    if kind == "branches":
        x = keras.layers.Conv2D(2, 4, padding="same")(inputs)
        outputs = keras.layers.ReLU()(x) + keras.layers.BatchNormalization()(x)
    elif kind == "relu inside":
        outputs = keras.layers.Conv2D(2, 4, padding="same", activation="relu")(inputs)
    else:
        outputs = keras.layers.Dropout(0.5)(keras.layers.Conv2D(2, 4)(inputs))
    network = randomised(keras.Model(inputs, outputs))
    images = tf.random.stateless_normal((2, 8, 8, 2), [0, 3])
    np.testing.assert_allclose(frozen(network)(images), network(images, training=False), rtol=1e-6)
