"""The screening of great numbers of kernels."""

import numpy as np
import pytest

from inversenet_tf.imaging.physics import kernel_screening
from inversenet_tf.imaging.physics.camera_paths import drawn, random_paths
from inversenet_tf.imaging.physics.class_likelihood import Observed, cost_and_gradient
from inversenet_tf.imaging.physics.image_model import ImageModel
from inversenet_tf.imaging.physics.kernel_screening import Screening, likeliest_paths
from inversenet_tf.imaging.physics.kernel_shape import similarity
from inversenet_tf.imaging.physics.varied import blur_each

SIZE, SIDE = 32, 11


def smooth_images(count, seed):
    """Images of one class: the same bumps, of other heights and colours."""
    places = np.random.default_rng(7).uniform(0, SIZE, (10, 2))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    bumps = [np.exp(-((rows - top) ** 2 + (columns - left) ** 2) / 4) for top, left in places]
    heights = np.random.default_rng(seed).uniform(0.2, 0.6, (count, 10, 3))
    return np.einsum("nbc,bhw->nhwc", heights, bumps) + 0.2


@pytest.fixture(scope="module")
def model():
    return ImageModel.fit(smooth_images(200, seed=0))


def observed(model, kernel, count=1):
    images = smooth_images(count, seed=1).astype(np.float32)
    blurred = blur_each(images, np.repeat(kernel[np.newaxis], count, axis=0)).numpy()
    noise = 0.01 * np.random.default_rng(2).normal(size=blurred.shape)
    return Observed.of(model, blurred + noise, 0.01, 0.6, (20, 8))


def test_cost_is_that_of_each_kernel_at_its_best_shift(model):
    kernels = drawn(random_paths(5, SIDE, np.random.default_rng(0)), SIDE)
    measurements = observed(model, kernels[0], count=2)
    costs, shifts = Screening(measurements)(kernels)
    room = [np.pad(kernel, 8) for kernel in kernels]

    def cost(kernel, shift):
        return cost_and_gradient(measurements, np.roll(kernel, shift, (0, 1)))[0]

    for kernel, least, best in zip(room, costs, shifts, strict=True):
        assert cost(kernel, best) == pytest.approx(least, abs=2.0)
        others = [cost(kernel, best + step) for step in ((0, 2), (0, -2), (2, 0), (-2, 0))]
        inside = np.abs(best).max() < kernel_screening.SHIFTS.max()
        assert not inside or min(others) > least - 2.0


def test_parts_that_are_scored_at_once_make_no_difference(model, monkeypatch):
    kernels = drawn(random_paths(7, SIDE, np.random.default_rng(0)), SIDE)
    screening = Screening(observed(model, kernels[0]))
    costs, shifts = screening(kernels)
    monkeypatch.setattr(kernel_screening, "AT_ONCE", 3)
    parted, same = screening(kernels)
    np.testing.assert_allclose(parted, costs, atol=0.5)
    np.testing.assert_array_equal(same, shifts)


def test_finds_a_path_that_was_not_drawn(model, monkeypatch):
    monkeypatch.setattr(kernel_screening, "DRAWN", 300)
    monkeypatch.setattr(kernel_screening, "PARENTS", 20)
    truth = drawn(random_paths(1, SIDE, np.random.default_rng(99)), SIDE)[0]
    measurements = observed(model, truth)
    found = drawn(likeliest_paths(measurements, SIDE, 3, seed=0), SIDE)
    first = drawn(random_paths(300, SIDE, np.random.default_rng(0)), SIDE)
    costs, _ = Screening(measurements)(first)
    likeliest = first[costs.argmin()]
    assert Screening(measurements)(found)[0].min() < costs.min() - 100
    assert similarity(found[0], truth) > max(similarity(likeliest, truth), 0.75)


def test_no_two_of_the_paths_draw_nearly_the_same_kernel(model, monkeypatch):
    monkeypatch.setattr(kernel_screening, "DRAWN", 200)
    monkeypatch.setattr(kernel_screening, "SCALES", (1.0,))
    truth = drawn(random_paths(1, SIDE, np.random.default_rng(99)), SIDE)[0]
    found = drawn(likeliest_paths(observed(model, truth), SIDE, 4, seed=0), SIDE)
    flat = found.reshape(len(found), -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert len(found) == 4 and (flat @ flat.T)[np.triu_indices(4, 1)].max() < 0.98
