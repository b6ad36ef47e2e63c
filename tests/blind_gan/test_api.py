"""The Python API as a user has it: `import blind_gan_tf as blind`."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from blind_gan.toys import SIDE, linear_generator, toy_prior

import blind_gan_tf as blind
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.physics.operators import Blur

SHORT = {"rounds": 1, "surrogate_steps": 1, "latent_steps": 1, "perceptual_weight": 0.0}


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, blind_gan_tf; print({'tensorflow', 'numpy', 'keras'} & sys.modules.keys())"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "set()", output.stderr


def test_every_public_name_is_there():
    for name in blind.__all__:
        assert getattr(blind, name) is not None
    assert set(blind.__all__) <= set(dir(blind))
    with pytest.raises(AttributeError, match="no attribute 'inverse'"):
        blind.inverse  # noqa: B018


def test_a_trained_prior_is_loaded_sampled_and_inverted_with(tiny_prior, tmp_path):
    prior = blind.Prior.load(tiny_prior)
    samples = prior.sample(3, seed=1)
    assert samples.shape == (3, 32, 32, 1)
    np.testing.assert_array_equal(samples, blind.Prior.load(tiny_prior).sample(3, seed=1))
    surrogate = blind.LinearConvolution(1, 1, kernel_size=3)
    result = blind.invert(samples, prior, surrogate, search=blind.SearchConfig(**SHORT))
    assert result.images.shape == (3, 1, 32, 32, 1) and result.residuals.shape == (3,)
    assert result.operators[0].kernel.shape == (5, 5, 1, 1)
    result.save(tmp_path / "mine")
    recovered = read_image(tmp_path / "mine" / "recovered" / "002.png", 1)
    np.testing.assert_allclose(recovered, result.images[2, 0], atol=0.6 / 255)
    kept = keras.models.load_model(tmp_path / "mine" / "surrogate" / "000.keras")
    np.testing.assert_allclose(kept(samples), result.operators[0](samples), atol=1e-6)
    assert np.load(tmp_path / "mine" / "operator" / "000.npy").shape == (1, 32, 32, 1)
    with np.load(tmp_path / "mine" / "inversion.npz") as numbers:
        np.testing.assert_array_equal(numbers["residuals"], result.residuals)
        np.testing.assert_array_equal(numbers["images"], result.images)


def test_the_default_surrogate_is_the_papers():
    prior = toy_prior(linear_generator()[0])
    search = blind.SearchConfig(**SHORT)
    measurements = np.random.default_rng(0).random((2, SIDE, SIDE, 2))
    one = blind.invert(measurements[..., :1], prior, search=search)
    assert isinstance(one.operators[0], blind.LinearConvolution)
    several = blind.invert(measurements, prior, search=search, sources=3)
    assert isinstance(several.operators[0], blind.MixingNetwork)
    assert several.images.shape == (2, 3, SIDE, SIDE, 1)


def test_known_operators_are_of_all_measurements_or_of_each_group(tmp_path):
    prior = toy_prior(linear_generator()[0])
    search = blind.SearchConfig(**SHORT)
    measurements = np.random.default_rng(0).random((4, SIDE, SIDE, 1))
    blur, point = Blur(np.full((3, 3), 1 / 9)), Blur(np.ones((1, 1)))
    one = blind.invert(measurements, prior, operator=blur, search=search)
    assert one.operators == [blur]
    two = blind.invert(measurements, prior, operator=[blur, point], search=search, group_size=2)
    assert two.operators == [blur, point]
    two.save(tmp_path, names=["a", "b", "c", "d"])
    assert (tmp_path / "recovered" / "d.png").exists()
    assert not (tmp_path / "surrogate").exists()  # nothing was estimated
    with pytest.raises(ValueError, match="a surrogate or a known operator. Received: both"):
        blind.invert(measurements, prior, blind.LinearConvolution(1, 1), operator=blur)


@pytest.mark.parametrize(
    ("operators", "channels", "message"),
    [
        (2, 1, "Expected one operator, or one for each of 4 groups. Received: 2"),
        (3, 1, "Expected one operator, or one for each of 4 groups. Received: 3"),
        (
            4,
            3,
            r"Expected an operator .* to measurements \(12, 12, 3\). Received: one to \(12, 12, 1",
        ),
    ],
)
def test_known_operators_must_fit_the_groups_and_the_measurements(operators, channels, message):
    prior = toy_prior(linear_generator()[0])
    blur = Blur(np.full((3, 3), 1 / 9))
    with pytest.raises(ValueError, match=message):
        blind.invert(
            np.zeros((4, SIDE, SIDE, channels)),
            prior,
            operator=[blur] * operators,
            search=blind.SearchConfig(**SHORT),
            group_size=1,
        )


def test_groups_may_have_surrogates_of_their_own():
    prior = toy_prior(linear_generator()[0])
    search = blind.SearchConfig(**(SHORT | {"surrogate_steps": 0}))
    measurements = np.random.default_rng(0).random((4, SIDE, SIDE, 1))
    own = [blind.LinearConvolution(1, 1, seed=seed) for seed in (1, 2)]
    result = blind.invert(measurements, prior, own, search=search, group_size=2)
    for operator, surrogate in zip(result.operators, own, strict=True):
        np.testing.assert_allclose(operator.kernel, surrogate.kernel, atol=1e-7)
    with pytest.raises(ValueError, match="one surrogate for each of 1 groups. Received: 2"):
        blind.invert(measurements, prior, own, search=search)
