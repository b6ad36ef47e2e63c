import keras
import numpy as np
import pytest
import tensorflow as tf

from blind_gan_tf.config import IMAGE_SIDES
from blind_gan_tf.latents import Latents
from blind_gan_tf.losses import (
    discriminator_loss,
    generator_loss,
    measurement_distance,
    perceptual_loss,
)
from blind_gan_tf.networks import NETWORKS, DigitDiscriminator, DigitGenerator
from blind_gan_tf.prior import Prior, load_prior, save_prior


def small_prior(**compiled):
    keras.utils.set_random_seed(0)
    prior = Prior(DigitGenerator(width=2, latent_size=5), DigitDiscriminator(width=2), Latents(5))
    if compiled:
        names = ("generator", "discriminator")
        optimizers = {name: keras.optimizers.Adam(2e-4, 0.5) for name in names}
        prior.compile(optimizers=optimizers, **compiled)
    return prior


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_fit_each_other(name):
    generator, discriminator = NETWORKS[name]
    side = IMAGE_SIDES[name]
    images = generator(channels=1, width=4, latent_size=7)(tf.zeros((3, 7)))
    assert images.shape == (3, side, side, 1)
    assert np.abs(images).max() <= 1
    assert discriminator(channels=1, width=4)(images).shape == (3,)


def test_dcgan_has_the_weights_of_its_paper():
    # Radford et al., Fig. 1, with 4 x 4 kernels and 512 features at first; batch norm has two
    # weights a feature.
    generator = NETWORKS["dcgan"][0](width=64)
    kernels = 16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    trained = sum(int(np.prod(v.shape)) for v in generator.trainable_variables)
    assert trained == kernels + 2 * (512 + 256 + 128 + 64) + 3
    layers = [layer for layer in DigitGenerator().layers if "conv" in layer.name]
    assert len(layers) == 6
    assert len([layer for layer in DigitDiscriminator().layers if "conv" in layer.name]) == 6


def test_losses_by_hand():
    real, generated = np.array([0.3, -1.0], np.float32), np.array([2.0, -0.5], np.float32)

    def score(logits):
        return 1 / (1 + np.exp(-logits))

    expected = -np.log(score(real)).mean() - np.log(1 - score(generated)).mean()
    np.testing.assert_allclose(discriminator_loss(real, generated), expected, rtol=1e-5)
    smoothed = -(0.9 * np.log(score(real)) + 0.1 * np.log(1 - score(real))).mean()
    np.testing.assert_allclose(
        discriminator_loss(real, generated, 0.9),
        smoothed - np.log(1 - score(generated)).mean(),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        generator_loss(generated), -np.log(score(generated)).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(perceptual_loss(generated), np.log(1 - score(generated)), rtol=1e-5)
    assert np.isfinite(perceptual_loss(np.array([500.0], np.float32))).all()
    distances = measurement_distance(np.ones((2, 3, 4, 5, 1)), np.full((2, 1, 4, 5, 1), 0.25))
    np.testing.assert_allclose(distances, np.full((2, 3), 0.75 * 20))


def test_latents_are_drawn_and_projected_as_they_are_distributed():
    uniform, normal = Latents(50), Latents(50, "normal")
    drawn = uniform.draw((40,), [1, 2]).numpy()
    assert drawn.shape == (40, 50) and -1 <= drawn.min() < -0.9 and 0.9 < drawn.max() <= 1
    np.testing.assert_array_equal(drawn, uniform.draw((40,), [1, 2]))
    assert np.abs(normal.draw((400,), [1, 2])).max() > 3
    wild = tf.constant([-7.0, 0.5, 7.0])
    np.testing.assert_array_equal(uniform.project(wild), [-1, 0.5, 1])
    np.testing.assert_array_equal(normal.project(wild), [-3, 0.5, 3])


def test_a_step_moves_both_networks_and_the_average():
    prior = small_prior(average=0.9)
    images = tf.random.stateless_uniform((4, 32, 32, 1), [1, 1])
    parts = (prior.generator, prior.discriminator, prior.in_use("generator"))
    before = [part.get_weights() for part in parts]
    logs = prior.train_step(images)
    assert prior.step == 1
    assert 0 < float(logs["real_score"]) < 1 and np.isfinite(float(logs["generator_loss"]))
    for part, old in zip(parts, before, strict=True):
        moved = [(a != b).any() for a, b in zip(part.get_weights(), old, strict=True)]
        assert all(moved)
    # After step one the average holds (1 + 1) / (10 + 1) of what it was.
    for kept, old, new in zip(
        prior.in_use("generator").get_weights(),
        before[2],
        prior.generator.get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(kept, 2 / 11 * old + 9 / 11 * new, atol=1e-6)


def test_without_an_average_the_generator_itself_is_kept():
    prior = small_prior(average=0.0)
    assert prior.trained().generator is prior.generator


def test_the_latents_of_a_step_are_a_function_of_seed_and_step():
    prior, twin, other = (small_prior(seed=seed) for seed in (1, 1, 2))
    first = prior._draw_for_step(3)
    np.testing.assert_array_equal(first, twin._draw_for_step(3))
    assert (first != other._draw_for_step(3)).numpy().any()
    prior.steps_taken.assign(1)
    assert (first != prior._draw_for_step(3)).numpy().any()


def test_a_prior_survives_its_file(tmp_path):
    prior = small_prior(average=0.5, config={"data": {"size": 32}})
    prior.train_step(tf.random.stateless_uniform((4, 32, 32, 1), [1, 1]))
    trained = prior.trained()
    save_prior(trained, tmp_path / "prior.keras")
    loaded = load_prior(tmp_path)
    assert loaded.latents == Latents(5)
    assert loaded.training == {"step": 1, "config": {"data": {"size": 32}}}
    np.testing.assert_allclose(loaded.sample(3), trained.sample(3), atol=1e-6)
    np.testing.assert_allclose(
        loaded.discriminator(loaded.sample(3)), trained.discriminator(trained.sample(3)), atol=1e-5
    )
    assert not loaded.trainable_variables
    half = load_prior(tmp_path, "mixed_bfloat16")
    assert half.generator.layers[2].compute_dtype == "bfloat16"
    assert half.sample(1).dtype == "float32"
    np.testing.assert_allclose(half.sample(3), trained.sample(3), atol=0.05)


def test_files_that_are_no_prior_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a trained prior.*does not exist"):
        load_prior(tmp_path)
    (tmp_path / "prior.keras").write_bytes(b"PK nonsense")
    with pytest.raises(ValueError, match="Cannot read the prior"):
        load_prior(tmp_path)
    DigitGenerator(width=2).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="Received: a DigitGenerator"):
        load_prior(tmp_path / "other.keras")


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Expected a generator of latents of size 9"):
        Prior(DigitGenerator(width=2, latent_size=5), DigitDiscriminator(width=2), Latents(9))
    with pytest.raises(ValueError, match="Expected a discriminator of the generator's images"):
        Prior(DigitGenerator(3, 2, 5), DigitDiscriminator(1, 2), Latents(5))
