"""The baseline's comparators give the features of ours, from images of any size."""

import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.models.perceptual.comparator import COMPARATORS, Comparator

torch = pytest.importorskip("torch")
from pytorch_baselines import comparators as baselines  # noqa: E402
from pytorch_baselines.weights import load_weights, weights_of  # noqa: E402


def randomized(network):
    generator = np.random.default_rng(0)
    network.set_weights(
        [
            generator.normal(0, (2 / np.prod(w.shape[:-1])) ** 0.5, w.shape)
            if w.ndim > 1
            else generator.uniform(0, 1, w.shape)
            for w in network.get_weights()
        ]
    )
    return network


@pytest.mark.parametrize(
    "name, options, side", [("alexnet", {}, 64), ("squeezenet", {"size": 64}, 40)]
)
def test_features_and_their_gradient(name, options, side):
    pretrained = COMPARATORS[name]
    network = randomized(pretrained.network(**options))
    baseline = baselines.COMPARATORS[name](**options)
    load_weights(baseline, weights_of(network))
    images = np.random.default_rng(1).uniform(size=(2, side, side, 3)).astype(np.float32)

    given = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(given)
        expected = Comparator(network, pretrained.preprocess)(given)
    weights = np.random.default_rng(2).normal(size=expected.shape).astype(np.float32)
    expected_gradient = tape.gradient(expected, given, tf.constant(weights)).numpy()

    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).requires_grad_()
    features = baselines.Comparator(baseline)(tensor)
    features.backward(torch.from_numpy(weights))
    gradient = tensor.grad.permute(0, 2, 3, 1)
    for value, right in ((features.detach(), expected.numpy()), (gradient, expected_gradient)):
        np.testing.assert_allclose(value, right, atol=1e-4 * np.abs(right).max())
        assert np.abs(right).max() > 0


def test_response_norm_is_pytorchs():
    features = 50 * torch.randn((2, 8, 5, 6), generator=torch.Generator().manual_seed(0))
    expected = torch.nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)(features)
    torch.testing.assert_close(baselines.LocalResponseNorm(8)(features), expected)
    halved = baselines.LocalResponseNorm(8)(features.bfloat16())
    assert halved.dtype == torch.bfloat16
    torch.testing.assert_close(halved.float(), expected, rtol=0.02, atol=0.02)
