import numpy as np
import pytest

from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.imaging.physics.varied import FAMILIES, VariedBlur, blur_each


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kernel_of_any_family_is_one(family):
    for seed in range(20):
        kernel = family(np.random.default_rng(seed), 15)
        assert kernel.shape == (15, 15) and kernel.dtype == np.float32
        assert kernel.min() >= 0
        np.testing.assert_allclose(kernel.sum(), 1.0, atol=1e-5)


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
def test_each_image_is_blurred_by_its_own_kernel(boundary):
    images = np.random.default_rng(0).random((3, 20, 23, 3)).astype(np.float32)
    kernels = np.stack([VariedBlur(7).training_draw(0, place)[0] for place in range(3)])
    blurred = blur_each(images, kernels, boundary)
    for image, kernel, given in zip(images, kernels, blurred, strict=True):
        expected = Blur(kernel, boundary)(image[np.newaxis])[0]
        np.testing.assert_allclose(given, expected, atol=1e-5)


def test_draws_are_those_of_seed_and_position():
    varied = VariedBlur(9)
    for first, second, are_equal in [
        (varied.training_draw(1, 2), varied.training_draw(1, 2), True),
        (varied.training_draw(1, 2), varied.training_draw(1, 3), False),
        (varied.training_draw(1, 2), varied.training_draw(2, 2), False),
        (varied.held_out_draw(3), varied.held_out_draw(13), True),
        (varied.held_out_draw(3), varied.training_draw(0, 3), False),
    ]:
        assert np.array_equal(first[0], second[0]) == are_equal


def test_noise_is_often_none_and_never_beyond_the_largest():
    fractions = [VariedBlur(5).training_draw(0, place)[1] for place in range(400)]
    assert 0.15 < np.mean(np.equal(fractions, 0.0)) < 0.25
    assert 0.8 < max(fractions) <= 1.0
