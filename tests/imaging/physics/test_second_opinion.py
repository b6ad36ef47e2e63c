"""Kernels that are judged a second time."""

import numpy as np
import pytest

from inversenet_tf.imaging.physics import second_opinion as module
from inversenet_tf.imaging.physics.blur_model import Measured
from inversenet_tf.imaging.physics.kernel_search import Answer
from inversenet_tf.imaging.physics.kernel_shape import centred, similarity
from inversenet_tf.imaging.physics.kernels import camera_shake, gaussian
from inversenet_tf.imaging.physics.second_opinion import second_opinion

TRUE = centred(np.pad(camera_shake(11, 3).astype(np.float64), 3))


@pytest.fixture
def measured():
    return Measured.of(np.zeros((1, 32, 32)), True, 0.01)


@pytest.fixture
def judged_by_distance(monkeypatch):
    """The likelihood replaced by the distance to TRUE; a single point is far away."""

    def cost(measured, kernel):
        return 9.0 if kernel.size == 1 else float(np.square(kernel - TRUE).sum())

    monkeypatch.setattr(module, "local_cost", cost)


def with_holes(places):
    kernel = TRUE.copy()
    rows, columns = np.nonzero(kernel)
    kernel[rows[places], columns[places]] = 0
    return kernel / kernel.sum()


def test_the_mean_of_like_kernels_is_preferred(measured, judged_by_distance):
    first, second = with_holes(slice(2, None, 5)), with_holes(slice(4, None, 5))
    other = gaussian(17, 3.0).astype(np.float64)
    answer = Answer([first], 0.2, 0.1, 0.01, [second], [first, second, other])
    better = second_opinion(measured, answer)
    similar = [similarity(kernel, TRUE) for kernel in better.kernels]
    assert similar[0] > similar[1] and len(similar) == 2
    assert better.kernels[0].sum() == pytest.approx(1.0) and better.kernels[0].shape == TRUE.shape
    assert better.local_gain == pytest.approx(9.0, abs=0.1)
    nearest = sorted(similarity(better.kernels[0], kernel) for kernel in (first, second))
    assert better.agreement == pytest.approx(nearest[0])


def test_of_what_was_plausible_only_what_is_like_the_new_kernel_stays(measured, judged_by_distance):
    point = np.zeros_like(TRUE)
    point[8, 8] = 1.0
    better = second_opinion(measured, Answer([point], 0.0, 0.0, 0.01, [TRUE], [TRUE, point]))
    assert len(better.kernels) == 1 and similarity(better.kernels[0], TRUE) > 0.9999
    assert better.agreement == pytest.approx(similarity(TRUE, point), abs=1e-6)


def test_a_good_kernel_stays(measured, judged_by_distance):
    answer = Answer([TRUE], 0.2, 0.9, 0.01, [with_holes(slice(0, None, 3))])
    better = second_opinion(measured, answer)
    assert len(better.kernels) == 1
    assert similarity(better.kernels[0], TRUE) > 0.9999
