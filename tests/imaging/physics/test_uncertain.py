"""A blur that is known but for an uncertainty, and networks that have it for their own."""

import numpy as np
import pytest

from inversenet_tf import recipes
from inversenet_tf.imaging.config import UNCERTAIN, OperatorConfig
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.pairs import training_pairs
from inversenet_tf.imaging.physics.kernels import gaussian, linear_motion
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.imaging.physics.uncertain import UncertainBlur
from inversenet_tf.models.build import build_model, solvers_of
from inversenet_tf.restoration.model_restorer import ModelRestorer

KERNELS = np.stack([linear_motion(5, 45.0), linear_motion(5, 30.0), gaussian(5, 1.0)])


def config_of(**operator):
    config = recipes.any_blur()
    config.data.size, config.network.depth, config.training.precision = 32, 2, "float32"
    config.operator = OperatorConfig(**operator)
    config.noise.gaussian_sigma = 0.01
    return config


@pytest.fixture
def uncertain(tmp_path):
    np.save(tmp_path / "kernels.npy", 2 * KERNELS)  # which need not be of sum 1
    return config_of(kernel=UNCERTAIN, kernel_file=str(tmp_path / "kernels.npy"), kernel_size=5)


def test_each_image_has_the_estimate_or_a_kernel_on_the_way_to_another():
    blur = UncertainBlur(KERNELS)
    drawn = np.stack([blur.training_draw(0, place)[0] for place in range(200)])
    np.testing.assert_allclose(drawn.sum((1, 2)), 1.0, atol=1e-5)
    is_estimate = (drawn == KERNELS[0]).all((1, 2))
    assert 0.35 < is_estimate.mean() < 0.65
    spans = [np.abs(drawn - other).max((1, 2)) < 0.1 for other in KERNELS[1:]]
    assert all(near.any() for near in spans)
    assert {blur.training_draw(0, place)[1] for place in range(9)} == {1.0}
    np.testing.assert_array_equal(blur.training_draw(1, 2)[0], blur.training_draw(1, 2)[0])
    assert not np.array_equal(drawn[0], blur.held_out_draw(0)[0]) or is_estimate[0]
    np.testing.assert_array_equal(UncertainBlur(KERNELS[:1]).training_draw(0, 5)[0], KERNELS[0])


def test_a_training_measures_with_them_and_tells_none(uncertain):
    operator = build_operator(uncertain.operator)
    np.testing.assert_allclose(operator.kernel, KERNELS[0], atol=1e-6)
    source = open_source("photos", TRAINING, 3, 32)
    pairs = training_pairs(source, operator, uncertain.noise, uncertain.data, batch_size=2, seed=0)
    measurements, images = next(pairs.as_numpy_iterator())
    assert measurements.shape == images.shape == (2, 32, 32, 3)
    assert np.abs(measurements - images).mean() > 0.001


def test_a_network_that_has_the_kernel_restores_as_one_that_is_told_it(uncertain):
    """So that its training can begin with the weights of a network for any blur."""
    own = build_model(uncertain, solvers=solvers_of(uncertain, KERNELS[0]))
    told = build_model(config_of(kernel="varied", kernel_size=5))
    rng = np.random.default_rng(0)
    weights = [np.abs(rng.normal(0, 0.05, w.shape)) for w in told.inverter.get_weights()]
    for model in (own, told):
        model.inverter.set_weights(weights)
    measurement = rng.uniform(0.2, 0.8, (1, 32, 32, 3)).astype(np.float32)
    own, told = ModelRestorer(own), ModelRestorer(told)
    assert (own.kernel_use, told.kernel_use) == ("optional", "required")
    expected = told(measurement, kernel=KERNELS[0], noise=0.01)
    np.testing.assert_allclose(own(measurement), expected, atol=1e-5)
    assert np.abs(expected - told(measurement, kernel=KERNELS[0], noise=0.05)).max() > 1e-3


@pytest.mark.parametrize(
    "kernels",
    [KERNELS[0], -KERNELS, np.zeros((2, 3, 3)), np.ones((1, 4, 4)), np.full((1, 3, 3), np.nan)],
    ids=["one", "negative", "zeros", "even", "nan"],
)
def test_a_file_of_other_arrays_is_refused(kernels, tmp_path):
    np.save(tmp_path / "k.npy", kernels)
    with pytest.raises(ValueError, match="Expected kernels .* in .*k.npy"):
        build_operator(OperatorConfig(kernel=UNCERTAIN, kernel_file=str(tmp_path / "k.npy")))


@pytest.mark.parametrize(("name", "scale"), [("downsampling", 2), ("joint", 2), ("joint", 1)])
def test_it_is_a_blur_and_nothing_else(uncertain, name, scale):
    uncertain.operator.name, uncertain.operator.scale = name, scale
    with pytest.raises(ValueError, match=f'"blur" with operator.kernel "uncertain".*{name}'):
        uncertain.validate()


def test_a_file_is_needed():
    with pytest.raises(ValueError, match="kernel_file"):
        OperatorConfig(kernel=UNCERTAIN).validate()
    with pytest.raises(ValueError, match="file of kernels"):
        build_operator(OperatorConfig(kernel=UNCERTAIN, kernel_file="nowhere.npy"))
