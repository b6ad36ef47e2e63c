"""The networks against the NumPy oracle, with weights none of which is zero or one."""

import keras
import numpy as np
import pytest
from models.numpy_oracle import dae, unet

from inversenet_tf.models.dae import DAE
from inversenet_tf.models.discriminator import Discriminator
from inversenet_tf.models.unet import UNet


def randomised(network):
    """Kernels of unit gain, so that no activation is where it cannot be told from another."""
    generator = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.endswith("kernel"):
            value = generator.normal(0.0, (8 * min(weight.shape[-2:])) ** -0.5, weight.shape)
        else:
            middle = 1.0 if weight.path.endswith(("gamma", "variance")) else 0.0
            value = generator.uniform(middle - 0.3, middle + 0.3, weight.shape)
        weight.assign(value)
    return network


def signed(*shape):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("skip", [False, True])
def test_the_unet_is_table_3(depth, skip):
    network = randomised(UNet(depth, global_skip=skip))
    images = signed(2, 32, 48, 3)
    np.testing.assert_allclose(network(images), unet(network, images, skip), atol=1e-4)


def test_skips_join_before_their_activation():
    network = randomised(UNet(3))
    layers = [network.get_layer(name).output for name in ("e2", "d1", "e1", "d2")]
    outputs = keras.Model(network.inputs, layers)(signed(2, 16, 24, 3))
    for encoded, joined in zip(outputs[::2], outputs[1::2], strict=True):
        np.testing.assert_array_equal(joined[..., -encoded.shape[-1] :], encoded)
        assert np.min(encoded) < 0


def test_a_skip_adds_the_first_channels():
    network = randomised(UNet(2, 3, True, 7))
    images = signed(1, 16, 16, 7)
    np.testing.assert_allclose(network(images), unet(network, images, True), atol=1e-4)


@pytest.mark.parametrize(
    ("factor", "condition", "skip"),
    [(4, "none", False), (4, "shuffled", True), (2, "inner", False), (1, "shuffled", True)],
)
def test_the_dae_is_table_4(factor, condition, skip):
    network = randomised(DAE(factor, 3, condition, global_skip=skip))
    inverted = signed(2, 16, 24, 3)
    if condition == "none":
        np.testing.assert_allclose(network(inverted), dae(network, inverted), atol=1e-4)
        return
    measurements = signed(2, 8, 12, 3) if condition == "inner" else signed(2, 16, 24, 3)
    expected = dae(network, inverted, measurements)
    np.testing.assert_allclose(network([inverted, measurements]), expected, atol=1e-4)


@pytest.mark.parametrize("network", [UNet(4), DAE(4), Discriminator()], ids=lambda n: n.name)
def test_kernels_begin_as_n_0_002(network):
    kernels = [w.numpy() for w in network.weights if w.path.endswith("kernel")]
    assert len(kernels) >= 5
    for kernel in kernels:
        if kernel.size > 1000:
            assert kernel.std() == pytest.approx(0.02, rel=0.1)
            assert abs(kernel.mean()) < 0.002


def test_the_discriminator_leaks_a_fifth():
    slopes = [
        layer.negative_slope for layer in Discriminator().layers if hasattr(layer, "negative_slope")
    ]
    assert len(slopes) >= 3
    assert slopes == pytest.approx([0.2] * len(slopes))
