"""How well kernels explain photographs whose gradients differ from place to place."""

import numpy as np
import pytest
import skimage.data

from inversenet_tf.imaging.physics.blur_model import Measured
from inversenet_tf.imaging.physics.kernels import camera_shake, gaussian
from inversenet_tf.imaging.physics.local_likelihood import local_cost
from inversenet_tf.imaging.physics.operators import within_frame

POINT = np.ones((1, 1))
NOISE = 0.01


@pytest.fixture(scope="module")
def photograph():
    return skimage.data.astronaut()[:144, 140:284].mean(axis=-1, keepdims=True) / 255


def seen_by_a_camera(photograph, kernel):
    blurred, _ = within_frame(kernel, photograph.astype(np.float32))
    noise = NOISE * np.random.default_rng(0).normal(size=blurred.shape)
    return Measured.of((np.asarray(blurred) + noise)[np.newaxis, ..., 0], False, NOISE)


@pytest.mark.parametrize("kernel", [camera_shake(11, 3), gaussian(11, 1.5)], ids=["shake", "lens"])
def test_the_true_kernel_is_likelier_than_others(photograph, kernel):
    measured = seen_by_a_camera(photograph, kernel)
    others = [POINT, kernel.T[::-1], gaussian(11, 2.5), np.where(kernel < 0.03, 0, kernel)]
    others = [other / other.sum() for other in others if not np.allclose(other, kernel, atol=1e-3)]
    true = local_cost(measured, kernel)
    assert all(true < local_cost(measured, other) for other in others)


def test_a_sharp_photograph_needs_no_kernel(photograph):
    measured = seen_by_a_camera(photograph, np.ones((1, 1), np.float32))
    assert local_cost(measured, POINT) < local_cost(measured, gaussian(11, 2.5))


def test_the_cost_does_not_depend_on_the_shift_of_a_kernel(photograph):
    measured = Measured.of(photograph[np.newaxis, ..., 0], True, NOISE)
    padded = np.pad(camera_shake(9, 1), 2)
    assert local_cost(measured, np.roll(padded, 1, 0)) == pytest.approx(
        local_cost(measured, padded), abs=1e-3
    )
