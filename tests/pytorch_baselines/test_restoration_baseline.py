"""The baseline restores what our model restores, however it is deployed, at any size."""

import numpy as np
import pytest

from inversenet_tf import recipes
from inversenet_tf.models.build import build_model

torch = pytest.importorskip("torch")
from pytorch_baselines.networks import DAE, UNet  # noqa: E402
from pytorch_baselines.restoration import InverseNet, deployed, fold_batch_norms  # noqa: E402
from pytorch_baselines.weights import load_weights, randomize, weights_of  # noqa: E402


def our_model():
    """With weights that leave nothing at zero or one."""
    config = recipes.motion_deblur()
    config.network.depth = 3
    config.network.global_skip = True
    model = build_model(config, with_discriminator=False)
    weights = [*model.inverter.weights, *model.denoiser.weights]
    randomize(weights, lambda shape: 0.03, reach=0.3)
    return model


def baseline_of(model, autocast=False):
    unet, dae = UNet(3, 3, True), DAE(4, 3, "shuffled", True)
    load_weights(unet, weights_of(model.inverter))
    load_weights(dae, weights_of(model.denoiser))
    return InverseNet(unet, dae, autocast)


@pytest.mark.parametrize("way", ["eager", "folded", "frozen script"])
@pytest.mark.parametrize("autocast, tolerance", [(False, 1e-5), (True, 0.02)])
def test_restored_images(way, autocast, tolerance):
    model = our_model()
    images = np.random.default_rng(1).uniform(size=(2, 16, 24, 3)).astype(np.float32)
    given = torch.from_numpy(images).permute(0, 3, 1, 2)
    restore = deployed(baseline_of(model, autocast), way, given)
    expected = model.restore(images)["restored"].numpy()
    restored = restore(given).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(restored, expected, atol=tolerance)
    assert np.abs(expected - images).max() > 5 * tolerance


def test_images_that_are_no_multiple():
    model = our_model()
    images = np.random.default_rng(1).uniform(size=(1, 13, 18, 3)).astype(np.float32)
    restored = baseline_of(model).eval()(torch.from_numpy(images).permute(0, 3, 1, 2))
    expected = model.restore(images)["restored"].numpy()
    np.testing.assert_allclose(restored.detach().permute(0, 2, 3, 1), expected, atol=1e-5)


def test_folding_leaves_no_batch_norm():
    baseline = baseline_of(our_model()).eval()
    for network in (baseline.inverter, baseline.denoiser):
        fold_batch_norms(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in baseline.modules())


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="Expected way in .*Received: 'quantized'"):
        deployed(baseline_of(our_model()), "quantized", None)
