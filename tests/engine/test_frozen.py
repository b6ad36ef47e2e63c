import keras
import numpy as np
import pytest
import tensorflow as tf

from blind_gan_tf.networks import NETWORKS
from inversenet_tf.engine import frozen as frozen_module
from inversenet_tf.engine.folded_convolutions import block_kernel, transposed_by_blocks
from inversenet_tf.engine.frozen import frozen
from inversenet_tf.engine.layers import BatchNorm, PixelShuffle
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.dncnn import DnCNN
from inversenet_tf.models.solver_resnet import SolverResNet
from inversenet_tf.models.srresnet import SRResNet
from inversenet_tf.models.unet import UNet


def randomised(network, seed=0):
    """The network with batch norms that do something."""
    generator = np.random.default_rng(seed)

    def random(weight):
        if len(weight.shape) == 1:
            return generator.uniform(0.5, 1.5, weight.shape)
        return generator.normal(size=weight.shape) / np.sqrt(np.prod(weight.shape[:3]))

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
    found = value_and_gradient(frozen(network, differentiable=True), inputs)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("differentiable", [False, True])
def test_a_generator_has_no_norms_and_no_slow_convolutions(name, differentiable):
    network = NETWORKS[name][0](width=8, latent_size=3)
    kinds = kinds_of(frozen(network, differentiable), tf.TensorSpec((1, 3)))
    of_stride_one = {"dcgan": 0, "digits": 1}[name]  # with many channels these are fast enough
    assert kinds.count("Conv2DBackpropInput") == of_stride_one
    # Custom gradients are wrapped in operations that a SavedModel cannot restore.
    assert ("IdentityN" in kinds) == differentiable


OURS = {
    "unet": lambda: UNet(3, global_skip=True),
    "dae": lambda: DAE(2, condition="shuffled"),
    "literal dae": lambda: DAE(2, paper_literal=True),
    "dncnn": lambda: DnCNN(layers=4, width=6),
    "srresnet": lambda: SRResNet(2, blocks=1, width=6),
    "solver_resnet": lambda: SolverResNet(2, blocks=2, width=6),
}


@pytest.mark.parametrize("name", OURS)
def test_every_network_of_the_package_is_the_same_without_its_norms(name):
    network = randomised(OURS[name]())
    images = [
        tf.random.stateless_uniform((2, 24, 40, 3), [index, 1], -1.0, 1.0)
        for index, _ in enumerate(network.inputs)
    ]
    inputs = images if len(images) > 1 else images[0]
    expected = network(inputs, training=False)
    np.testing.assert_allclose(frozen(network)(inputs), expected, rtol=1e-5, atol=1e-5)
    specs = [tf.TensorSpec((None, None, None, 3)) for _ in images]
    kinds = kinds_of(frozen(network), specs if len(specs) > 1 else specs[0])
    if name != "srresnet":  # whose PReLU are layers of their own
        assert "ReadVariableOp" not in kinds
    assert "Conv2DBackpropInput" not in kinds


def kinds_of(function, spec):
    """The kinds of operations in a function's graph, none of which normalises."""
    graph = tf.function(function).get_concrete_function(spec).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert not {"FusedBatchNormV3", "Rsqrt"} & set(kinds)
    return kinds


def test_weights_are_those_at_the_time_of_freezing():
    network = randomised(UNet(2))
    images = tf.random.stateless_uniform((1, 8, 8, 3), [0, 1], -1.0, 1.0)
    function, before = frozen(network), network(images, training=False)
    randomised(network, seed=1)
    np.testing.assert_allclose(function(images), before, atol=1e-5)


def test_networks_too_large_for_a_graph_keep_their_variables(monkeypatch):
    monkeypatch.setattr(frozen_module, "LARGEST", 100)
    kinds = kinds_of_variables(frozen(randomised(UNet(2))))
    assert "ReadVariableOp" in kinds


def kinds_of_variables(function):
    spec = tf.TensorSpec((None, None, None, 3))
    graph = tf.function(function).get_concrete_function(spec).graph
    return {operation.type for operation in graph.get_operations()}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("few", [1, 3])
def test_blocks_make_a_transposed_convolution(stride, few):
    kernel = tf.random.stateless_normal((4, 4, few, 5), [0, 2])
    features = tf.random.stateless_normal((2, 8, 12, 5), [0, 3])
    shape = (2, 8 * stride, 12 * stride, few)
    expected = tf.nn.conv2d_transpose(features, kernel, shape, stride, "SAME")
    found = transposed_by_blocks(features, block_kernel(kernel, stride), stride)
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


def own_branches(x):
    x = keras.layers.Conv2D(2, 4, padding="same")(x)
    return keras.layers.ReLU()(x) + BatchNorm()(x)


def own_convolutions(x):
    """Of all kinds that are not the papers'; a norm behind each, even where it must stay."""
    x = keras.layers.Conv2D(4, 3, activation="relu", dilation_rate=2)(x)
    x = keras.layers.BatchNormalization(scale=False, center=False)(x)
    x = keras.layers.Conv2D(4, (1, 3), groups=2, padding="same", use_bias=False)(x)
    x = BatchNorm()(x)
    x = keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1)(x)
    x = BatchNorm()(x)
    return BatchNorm()(keras.layers.DepthwiseConv2D(3)(x))


def own_shared_layers(x):
    convolution, norm = keras.layers.Conv2D(2, 4, padding="same"), BatchNorm()
    return norm(convolution(norm(convolution(x))))


def own_shuffling(x):
    x = keras.layers.Conv2D(8, 4, strides=2, padding="same")(x)
    return keras.layers.Dropout(0.5)(PixelShuffle(2)(x))


def own_nested(x):
    inner = keras.Input((None, None, 2))
    norm = BatchNorm()(keras.layers.Conv2D(2, 3)(inner))
    return keras.Model(inner, keras.layers.ReLU()(norm))(x)


@pytest.mark.parametrize(
    "layers", [own_branches, own_convolutions, own_shared_layers, own_shuffling, own_nested]
)
def test_a_network_of_the_callers_own_is_the_same(layers):
    inputs = keras.Input((8, 8, 2))
    network = randomised(keras.Model(inputs, layers(inputs)))
    check_own(network)


def check_own(network):
    images = tf.random.stateless_normal((2, 8, 8, 2), [0, 3])
    expected = network(images, training=False)
    np.testing.assert_allclose(frozen(network)(images), expected, rtol=1e-5, atol=1e-5)


class Doubled(keras.Model):
    """A functional model that computes more than its graph."""

    def call(self, inputs, training=None, mask=None):
        return 2.0 * super().call(inputs, training=training, mask=mask)


def test_a_model_with_a_call_of_its_own_is_called():
    inputs = keras.Input((8, 8, 2))
    outputs = BatchNorm()(keras.layers.Conv2D(2, 4)(inputs))
    check_own(randomised(Doubled(inputs, outputs)))
    check_own(keras.Sequential([inputs, keras.layers.Conv2D(2, 4), BatchNorm()]))
