"""deepinv's networks as the benchmark trains them: of our blur, and of any size."""

import importlib.util

import numpy as np
import pytest

from inversenet_tf.imaging.physics.operators import Blur

torch = pytest.importorskip("torch")
if importlib.util.find_spec("deepinv") is None:
    pytest.skip("deepinv is not installed", allow_module_level=True)
from pytorch_baselines.deepinv_networks import NETWORKS, Restoration  # noqa: E402

UNTOLD = {"UNet", "DnCNN"}  # which see the measurements alone
each_network = pytest.mark.parametrize("name", NETWORKS)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


def to_torch(images):
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def asymmetric_kernel(height=5, width=5):
    """One whose correlation is another than its convolution."""
    kernel = noise(height, width) ** 4
    return kernel / kernel.sum()


def pairs(height=16, width=16):
    """(measurements, images) of smooth images and our blur."""
    images = Blur(np.full((5, 5), 1 / 25))(noise(2, height, width, 3))
    return to_torch(Blur(asymmetric_kernel())(images)), to_torch(images)


def restoration(name, kernel=None, **options):
    kernel = asymmetric_kernel() if kernel is None else kernel
    return Restoration(name, kernel, learning_rate=1e-3, **options)


@pytest.mark.parametrize("kernel_size", [(5, 5), (4, 5), (6, 4)])
@pytest.mark.parametrize("size", [(16, 16), (15, 18)])
def test_its_physics_is_our_operator(kernel_size, size):
    images, kernel = noise(2, *size, 3), asymmetric_kernel(*kernel_size)
    physics = restoration("DnCNN", kernel).physics(*size)
    ours = to_torch(Blur(kernel)(images))
    assert torch.allclose(physics.A(to_torch(images)), ours, atol=1e-5)


@each_network
@pytest.mark.parametrize("autocast", [False, True])
def test_steps_lower_the_loss(name, autocast):
    trained = restoration(name, autocast=autocast)
    losses = [trained.train_step(*pairs(), done=0.0) for _ in range(6)]
    assert losses[-1] < losses[0]


@each_network
def test_a_step_moves_every_weight(name):
    """The step sizes of the unrolled algorithm, too."""
    trained = restoration(name)
    before = [weights.detach().clone() for weights in trained.network.parameters()]
    trained.train_step(*pairs(), done=0.0)
    after = list(trained.network.parameters())
    assert not any(torch.equal(*both) for both in zip(before, after, strict=True))


def test_the_learning_rate_ends_at_zero():
    trained = restoration("DnCNN")
    before = [weights.detach().clone() for weights in trained.network.parameters()]
    trained.train_step(*pairs(), done=1.0)
    after = trained.network.parameters()
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))


@each_network
def test_images_of_odd_sides_keep_them(name):
    measurements, _ = pairs(21, 18)
    restored = restoration(name).restore(measurements)
    assert restored.shape == measurements.shape and restored.dtype == torch.float32
    assert restored.min() >= 0.0 and restored.max() <= 1.0


@each_network
def test_those_that_are_told_the_blur_make_use_of_it(name):
    measurements, _ = pairs()
    wrong = np.eye(5, dtype=np.float32) / 5
    same = torch.equal(
        restoration(name).restore(measurements), restoration(name, wrong).restore(measurements)
    )
    assert same == (name in UNTOLD)
