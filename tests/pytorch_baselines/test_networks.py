"""The networks of the baseline give what ours give with the same weights."""

import numpy as np
import pytest

from inversenet_tf.models.dae import DAE
from inversenet_tf.models.discriminator import Discriminator
from inversenet_tf.models.unet import UNet

torch = pytest.importorskip("torch")
from pytorch_baselines import networks as baselines  # noqa: E402
from pytorch_baselines.weights import (  # noqa: E402
    load_weights,
    randomize,
    read_weights,
    weights_of,
    write_weights,
)


def randomized(network, seed=0):
    """The network with weights that leave nothing at zero or one, and no tanh at its ends."""
    randomize(network.weights, lambda shape: (16 * shape[-2]) ** -0.5, reach=0.2, seed=seed)
    return network


def to_torch(images):
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def to_numpy(images):
    return images.detach().permute(0, 2, 3, 1).numpy()


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype(np.float32)


def assert_same(ours, baseline, *inputs):
    """In inference and in training, and the statistics that training leaves."""
    load_weights(baseline, weights_of(ours))
    keras_inputs = list(inputs) if len(inputs) > 1 else inputs[0]
    for training in (False, True):
        expected = np.array(ours(keras_inputs, training=training))
        outputs = baseline.train(training)(*map(to_torch, inputs))
        outputs = to_numpy(outputs) if outputs.ndim == 4 else outputs.detach().numpy()
        np.testing.assert_allclose(outputs, expected, atol=1e-4 * np.abs(expected).max())
    for name, (*_, mean, _) in ((n, w) for n, w in weights_of(ours).items() if len(w) == 4):
        np.testing.assert_allclose(baseline.layers[name].running_mean, mean, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 16, 16), (1, 24, 40)])
@pytest.mark.parametrize("global_skip", [False, True])
def test_unet(shape, global_skip):
    ours, baseline = randomized(UNet(3, 3, global_skip)), baselines.UNet(3, 3, global_skip)
    assert_same(ours, baseline, noise(*shape, 3))


def test_unet_of_other_channels():
    baseline = baselines.UNet(2, 3, measurement_channels=1)
    assert_same(randomized(UNet(2, 3, measurement_channels=1)), baseline, noise(2, 8, 12, 1))


@pytest.mark.parametrize(
    "factor, condition, options, measured",
    [
        (4, "none", {}, None),
        (4, "shuffled", {}, (24, 16, 3)),
        (2, "shuffled", {"global_skip": True}, (24, 16, 3)),
        (4, "inner", {"paper_literal": True}, (6, 4, 3)),
        (2, "inner", {"measurement_channels": 1}, (12, 8, 1)),
    ],
)
def test_dae(factor, condition, options, measured):
    inputs = [noise(2, 24, 16, 3)] + ([noise(2, *measured, seed=1)] if measured else [])
    options = {"factor": factor, "condition": condition} | options
    assert_same(randomized(DAE(**options)), baselines.DAE(**options), *inputs)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 64, 32)])
def test_discriminator(shape):
    assert_same(randomized(Discriminator(3, 4)), baselines.Discriminator(3, 4), noise(*shape, 3))


@pytest.mark.parametrize("network", ["unet", "dae", "discriminator"])
def test_networks_begin_as_ours(network):
    """The same deviations, zeros and ones."""
    make = {
        "unet": lambda module: module.UNet(4, 3, global_skip=True),
        "dae": lambda module: module.DAE(4, 3, "shuffled", global_skip=True),
        "discriminator": lambda module: module.Discriminator(3, 16),
    }[network]
    ours = {"unet": UNet, "dae": DAE, "discriminator": Discriminator}
    expected = weights_of(make(type("ours", (), {c.__name__: c for c in ours.values()})))
    baseline = make(baselines)
    for name, (kernel, bias, *_) in expected.items():
        layer = baseline.layers[name]
        np.testing.assert_array_equal(layer.bias.detach(), bias)
        spread = kernel.std() / np.sqrt(2 * kernel.size)
        assert abs(layer.weight.detach().numpy().std() - kernel.std()) <= 6 * spread, name


def test_weights_survive_their_file(tmp_path):
    network = randomized(UNet(2))
    write_weights(tmp_path / "weights.npz", {"inverter": network})
    (name, layers), *others = read_weights(tmp_path / "weights.npz").items()
    assert name == "inverter" and not others
    expected = weights_of(network)
    assert layers.keys() == expected.keys()
    for layer, arrays in expected.items():
        for array, same in zip(arrays, layers[layer], strict=True):
            np.testing.assert_array_equal(same, array)


def test_other_networks_weights_are_refused():
    with pytest.raises(ValueError, match="Expected weights of .*Received"):
        load_weights(baselines.UNet(3), weights_of(UNet(2)))
    with pytest.raises(ValueError, match="conv4 of shape .*Received"):
        load_weights(baselines.DAE(4), weights_of(DAE(4, condition="shuffled")))
