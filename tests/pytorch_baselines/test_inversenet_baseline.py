"""The baseline's training step is ours: the same losses and weights from the same beginning."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf import recipes
from inversenet_tf.engine.training_loop import TrainStep
from inversenet_tf.models.build import build_model
from inversenet_tf.models.compiling import compile_model
from inversenet_tf.models.perceptual.comparator import Comparator, bgr_minus
from inversenet_tf.models.perceptual.feature_networks import SqueezeNet

torch = pytest.importorskip("torch")
from pytorch_baselines import comparators as baseline_comparators  # noqa: E402
from pytorch_baselines import networks as baseline_networks  # noqa: E402
from pytorch_baselines.inversenet import Settings, TrainingStep, build_networks, settings_of  # noqa: E402
from pytorch_baselines.weights import load_weights, weights_of  # noqa: E402

EPSILON = 1.0
# Weights after three steps, of float32 sums in another order: 1e-8 apart where they moved by 1e-2.
TOLERANCE = 1e-6
CLIPPED = {f"{name}_clipped" for name in ("discriminator", "inverter", "denoiser")}


def small_config(global_skip=False, reduction="sum", schedule="constant", turns=1):
    """With a large epsilon: Adam else scales rounding noise up to the learning rate."""
    config = recipes.motion_deblur()
    config.network.depth = 3
    config.network.discriminator_width = 4
    config.network.global_skip = global_skip
    config.loss.reduction = reduction
    config.optimizer.epsilon = EPSILON
    config.optimizer.learning_rate = 0.1
    config.optimizer.clip_norm = 1.0
    config.optimizer.schedule = schedule
    config.optimizer.discriminator_steps = turns
    config.training.steps = 4
    return config


def squeezenets(size=32):
    """Ours and the baseline's, of the same weights."""
    network = SqueezeNet(size=size)
    generator = np.random.default_rng(2)
    network.set_weights(
        [
            generator.normal(0, 1.3 * np.prod(w.shape[:-1]) ** -0.5, w.shape) * (w.ndim > 1)
            for w in network.get_weights()
        ]
    )
    baseline = baseline_comparators.SqueezeNet(size)
    load_weights(baseline, weights_of(network))
    mean = baseline_comparators.SqueezeNet.mean
    return Comparator(network, bgr_minus(mean)), baseline_comparators.Comparator(baseline)


def pair_of_steps(with_comparator=False, **options):
    """(our model, a function that takes its step, the baseline's step, the baseline's batch)"""
    keras.utils.set_random_seed(0)
    config = small_config(**options)
    comparators = squeezenets() if with_comparator else (None, None)
    model = build_model(config)
    compile_model(model, config, comparators[0])
    settings = Settings(**settings_of(config))
    networks = build_networks(settings)
    for name, network in networks.items():
        load_weights(network, weights_of(model.networks[name]))
    generator = np.random.default_rng(0)
    batch = tuple(generator.uniform(size=(4, 32, 32, 3)).astype(np.float32) for _ in range(2))
    iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
    ours = TrainStep(model, tf.distribute.get_strategy())
    baseline = TrainingStep(networks, settings, comparators[1])
    return model, lambda: ours(iterator)[0], baseline, [to_torch(x) for x in batch]


def to_torch(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def adopt_epsilon(step):
    """Keras' epsilon stands before the correction of the second moment, PyTorch's behind it.

    With the paper's 1e-8 they are the same.
    """

    def before_step(optimizer, *_):
        for group in optimizer.param_groups:
            state = optimizer.state[group["params"][0]]
            updates = 1 + (int(state["step"]) if state else 0)
            group["eps"] = EPSILON / np.sqrt(1 - group["betas"][1] ** updates)

    for optimizer in step.optimizers.values():
        optimizer.register_step_pre_hook(before_step)


def assert_same_weights(baseline, network):
    """Of one part, but for the running variances: PyTorch's are larger by n / (n - 1)."""
    for name, arrays in weights_of(network).items():
        layer = baseline.layers[name]
        tensors = [layer.weight, layer.bias, *([layer.running_mean] if len(arrays) == 4 else [])]
        for tensor, array in zip(tensors, arrays, strict=False):
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
            np.testing.assert_allclose(tensor.detach(), array, atol=TOLERANCE, err_msg=name)


@pytest.fixture
def smooth(monkeypatch):
    """Softplus for ReLU: the gradient of that one jumps where its input is rounding noise."""
    softplus = torch.nn.functional.softplus
    activations = types.SimpleNamespace(relu=softplus, leaky_relu=lambda x, slope: softplus(x))
    monkeypatch.setattr(baseline_networks, "functional", activations)

    def ours(*slope, **options):
        return keras.layers.Activation("softplus", **options)

    monkeypatch.setattr(keras.layers, "ReLU", ours)
    monkeypatch.setattr(keras.layers, "LeakyReLU", ours)


@pytest.mark.parametrize(
    "options",
    [
        {"with_comparator": True},
        {"reduction": "mean", "turns": 2},
        {"global_skip": True, "schedule": "cosine"},
    ],
)
def test_three_steps(options, smooth):
    model, ours, baseline, batch = pair_of_steps(**options)
    adopt_epsilon(baseline)
    began = {name: network.get_weights() for name, network in model.networks.items()}
    for _ in range(3):
        expected, logs = ours(), baseline(*batch)
        assert logs.keys() | CLIPPED == expected.keys()
        for name, value in logs.items():
            assert float(value) == pytest.approx(expected[name], rel=1e-4), name
    assert any(expected[name] for name in CLIPPED)
    for name, network in model.networks.items():
        assert_same_weights(baseline.networks[name], network)
        moved = (np.abs(w - b).max() for w, b in zip(network.get_weights(), began[name]))  # noqa: B905
        assert max(moved) > 1000 * TOLERANCE


def test_in_bfloat16_the_losses_are_near():
    _, ours, baseline, batch = pair_of_steps()
    baseline.autocast = True
    expected, logs = ours(), baseline(*batch)
    assert all(value.dtype == torch.float32 for value in logs.values())
    for name in ("discriminator_loss", "inverter_loss", "denoiser_loss"):
        assert float(logs[name]) == pytest.approx(expected[name], rel=0.03)
        assert float(logs[name]) != pytest.approx(expected[name], rel=1e-6)


def test_the_step_leaves_all_weights_trainable_and_the_comparator_frozen():
    *_, baseline, batch = pair_of_steps(with_comparator=True)
    baseline(*batch)
    parameters = [p for network in baseline.networks.values() for p in network.parameters()]
    assert all(p.requires_grad and p.grad is not None for p in parameters)
    assert not any(p.requires_grad or p.grad is not None for p in baseline.comparator.parameters())
