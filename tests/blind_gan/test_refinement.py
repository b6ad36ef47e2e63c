import numpy as np
import pytest

from blind_gan_tf.config import RefinementConfig
from blind_gan_tf.refinement import objective, refine, total_variation
from inversenet_tf.imaging.physics.kernels import flat
from inversenet_tf.imaging.physics.operators import Blur

LONG = {"steps": 400, "learning_rate": 2e-2}


def drawn(seed, side=16):
    return np.random.default_rng(seed).uniform(0.2, 0.8, (2, side, side, 1)).astype(np.float32)


def test_the_objective_is_the_sum_of_its_three_terms():
    images, generated, measurements = drawn(0), drawn(1), drawn(2)
    config = RefinementConfig(closeness=0.3, total_variation=0.7)
    down = np.roll(images, -1, 1) - images
    right = np.roll(images, -1, 2) - images
    expected = np.sum((0.5 * images - measurements) ** 2)
    expected += 0.3 * np.sum((images - generated) ** 2)
    expected += 0.7 * np.sum(np.sqrt(down**2 + right**2))
    value = objective(images, generated, measurements, operator=lambda x: 0.5 * x, config=config)
    np.testing.assert_allclose(value, expected, rtol=1e-3)
    assert total_variation(np.full((1, 4, 4, 1), 0.3, np.float32)) < 0.02


def test_without_total_variation_it_is_the_least_squares_between_the_two():
    generated, measurements = drawn(1), drawn(2)
    config = RefinementConfig(closeness=3.0, total_variation=0.0, **LONG)
    refined = refine(generated, measurements, operator=lambda x: x, config=config)
    np.testing.assert_allclose(refined, (measurements + 3 * generated) / 4, atol=2e-3)


def test_images_leave_the_range_towards_the_truth_and_stay_in_bounds():
    truth, generated = drawn(3), drawn(4)
    blur = Blur(flat(3))
    measurements = blur(truth).numpy()
    config = RefinementConfig(closeness=1e-3, total_variation=0.0, **LONG)
    refined = refine(generated, measurements, operator=blur, config=config)
    before, after = (np.abs(blur(x) - measurements).max() for x in (generated, refined))
    assert after < 0.05 * before
    assert np.mean((refined - truth) ** 2) < 0.7 * np.mean((generated - truth) ** 2)
    bright = refine(generated, measurements + 2.0, operator=blur, config=config)
    assert bright.max() <= 1.0


def test_total_variation_flattens():
    noisy = drawn(5)
    config = RefinementConfig(closeness=0.0, total_variation=1.0, **LONG)
    refined = refine(noisy, noisy, operator=lambda x: x, config=config)
    assert total_variation(refined) < 0.2 * total_variation(noisy)


@pytest.mark.parametrize("field", ["closeness", "total_variation", "learning_rate", "steps"])
def test_bad_values_are_named(field):
    with pytest.raises(ValueError, match=f"refinement.{field}"):
        refine(drawn(0), drawn(0), operator=None, config=RefinementConfig(**{field: -1}))
