"""deepinv's blind Richardson-Lucy, as the measurement of unknown blur uses it."""

import importlib.util

import numpy as np
import pytest

from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.operators import Blur

pytest.importorskip("torch")
if importlib.util.find_spec("deepinv") is None:
    pytest.skip("deepinv is not installed", allow_module_level=True)
from pytorch_baselines.blind_deconvolution import blind_richardson_lucy  # noqa: E402


def test_more_iterations_explain_the_measurement_better():
    noise = np.random.default_rng(0).uniform(0.1, 0.9, (1, 32, 40, 3)).astype(np.float32)
    sharp = Blur(np.full((3, 3), 1 / 9, np.float32))(noise)
    [blurred] = Blur(linear_motion(5, 45.0))(sharp).numpy()
    misfits = []
    for iterations in (2, 100):
        image, kernel = blind_richardson_lucy(blurred, side=5, iterations=iterations)
        assert image.shape == blurred.shape and image.min() >= 0 and image.max() <= 1
        assert kernel.shape == (5, 5) and kernel.min() >= 0
        assert kernel.sum() == pytest.approx(1.0, abs=1e-4)
        [again] = Blur(kernel)(image[np.newaxis]).numpy()
        misfits.append(np.abs(again - blurred).mean())
    assert misfits[1] < 0.7 * misfits[0]
