"""Paths of a camera and the kernels that they draw."""

import numpy as np
import pytest

from inversenet_tf.imaging.physics.camera_paths import (
    COSINES,
    drawn,
    gradient_by_path,
    perturbed,
    random_paths,
)
from inversenet_tf.imaging.physics.kernels import line

SIDE = 15


def paths(count=20, seed=0):
    return random_paths(count, SIDE, np.random.default_rng(seed))


def extent(kernels):
    """The rows and the columns that a kernel reaches from its middle, whichever is farther."""
    return [np.abs(np.argwhere(kernel > 0) - SIDE // 2).max() for kernel in kernels]


def test_kernels_have_their_sum_and_fit_into_the_side():
    kernels = drawn(paths(), SIDE)
    assert kernels.shape == (20, SIDE, SIDE) and kernels.min() >= 0
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1.0, rtol=1e-5)
    assert min(extent(kernels)) < 4 < max(extent(kernels)) <= SIDE // 2


def test_one_slow_cosine_draws_a_line():
    path = np.zeros((1, 2, COSINES))
    path[0, 1, 1] = 4.0  # of the columns; a cosine stays at its ends for longer
    (kernel,) = drawn(path, SIDE)
    assert np.count_nonzero(kernel) == np.count_nonzero(line(SIDE, 7.9, 0.0))
    assert kernel[SIDE // 2].sum() == pytest.approx(1.0)
    assert kernel[SIDE // 2, 3] > kernel[SIDE // 2, 7]


def test_the_mean_of_a_path_moves_its_kernel():
    path = paths(1, seed=3) / 2
    moved = path.copy()
    moved[..., 0] += (2, -1)
    np.testing.assert_allclose(
        drawn(moved, SIDE)[0], np.roll(drawn(path, SIDE)[0], (2, -1), (0, 1)), atol=1e-6
    )


def test_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    path, direction = paths(1)[0] * 0.7, 1e-4 * rng.normal(size=(2, COSINES))
    weights = rng.normal(size=(SIDE, SIDE))
    ahead, behind = (
        (drawn(one[np.newaxis], SIDE)[0].astype(float) * weights).sum()
        for one in (path + direction, path - direction)
    )
    gradient = gradient_by_path(path, weights)
    assert (gradient * direction).sum() == pytest.approx((ahead - behind) / 2, rel=0.02)


def test_perturbations_are_of_the_scale_that_is_asked_for():
    generator = np.random.default_rng(0)
    first = paths(5)
    children = perturbed(first, 400, 0.1, generator).reshape(5, 400, 2, COSINES)
    change = (children - first[:, np.newaxis]).std(axis=(0, 1, 2))
    assert 0.05 < change[0] < 0.2 and change[-1] == pytest.approx(change[0] / COSINES, rel=0.2)
