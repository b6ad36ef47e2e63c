import numpy as np
import pytest
import tensorflow as tf
from blind_gan.toys import SIDE, linear_generator, mean_discriminator

from blind_gan_tf.config import SearchConfig
from blind_gan_tf.forward import SurrogateBank
from blind_gan_tf.latents import Latents
from blind_gan_tf.search import FrozenPrior, Search, best_candidates, side_by_side
from blind_gan_tf.surrogate import MixingNetwork

ALPHA = 0.7
SOURCES = 2


@pytest.fixture
def toy():
    """A search of two starts for three mixtures of two sources, and its parts in NumPy."""
    generator, basis = linear_generator(size=4)
    measurements = np.random.default_rng(5).uniform(0, 1, (1, 3, SIDE, SIDE, 1)).astype(np.float32)
    bank = SurrogateBank(
        [MixingNetwork(SOURCES, 1, units=3, seed=seed) for seed in (1, 2)], starts=2
    )
    search = Search(
        measurements,
        FrozenPrior(generator, mean_discriminator(), Latents(4)),
        bank,
        SearchConfig(perceptual_weight=ALPHA),
        sources=SOURCES,
        seed=0,
        starts=2,
        candidates=1,
        identity=[False, False],
    )
    return search, basis, measurements[0]


def loss_in_numpy(latents, weights, basis, measurements):
    """Algorithm 1's loss by the paper's formula, float64, one start."""
    first, first_bias, second, second_bias = weights
    signed = np.einsum("jst,thwc->jshwc", latents, basis)  # [n, s, h, w, 1]
    stacked = np.moveaxis((signed[..., 0] + 1) / 2, 1, -1)  # [n, h, w, s]
    hidden = np.maximum(stacked @ first + first_bias, 0)
    estimates = hidden @ second + second_bias
    logits = 10 * signed.mean((2, 3, 4))
    realism = np.log(1 - 1 / (1 + np.exp(-logits)))
    return np.abs(estimates - measurements).sum(), ALPHA * realism.sum()


def finite_differences(function, values, step=1e-6):
    gradient = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


@pytest.mark.parametrize("start", [0, 1])
def test_the_latents_gradient_is_that_of_the_papers_loss(toy, start):
    search, basis, measurements = toy
    loss, gradient = search.latent_gradient()
    weights = [v.numpy()[start].astype(float) for v in search.forward.variables]

    def total(latents):
        return sum(loss_in_numpy(latents, weights, basis, measurements))

    latents = search.latents.numpy()[start, :, 0].astype(float)
    expected = finite_differences(total, latents)
    np.testing.assert_allclose(gradient[start, :, 0], expected, rtol=1e-3, atol=1e-3)
    if start == 0:
        others = [v.numpy()[1].astype(float) for v in search.forward.variables]
        both = total(latents) + sum(
            loss_in_numpy(search.latents.numpy()[1, :, 0], others, basis, measurements)
        )
        np.testing.assert_allclose(loss, both, rtol=1e-5)


@pytest.mark.parametrize("start", [0, 1])
def test_the_surrogates_gradient_is_that_of_the_papers_loss(toy, start):
    search, basis, measurements = toy
    images, _ = search.generate(tf.convert_to_tensor(search.latents.value))
    _, gradients = search.surrogate_gradients(images)
    weights = [v.numpy()[start].astype(float) for v in search.forward.variables]
    latents = search.latents.numpy()[start, :, 0].astype(float)
    for index, gradient in enumerate(gradients):

        def distance(values, index=index):
            changed = [*weights[:index], values, *weights[index + 1 :]]
            return loss_in_numpy(latents, changed, basis, measurements)[0]

        expected = finite_differences(distance, weights[index])
        np.testing.assert_allclose(gradient[start], expected, rtol=1e-3, atol=2e-3)


def test_every_latent_step_is_projected(toy):
    search, *_ = toy
    search.latents.assign(tf.fill(search.latents.shape, 0.999))
    search._latent_optimizer.learning_rate = 0.3
    seen = []
    project = search._prior.latents.project

    class Watching(Latents):
        def project(self, latents):
            projected = project(latents)
            seen.append((tf.reduce_max(tf.abs(latents)), tf.reduce_max(tf.abs(projected))))
            return projected

    search._prior.latents = Watching(4)
    search.train_latents.python_function()  # eagerly, to look at every step
    assert len(seen) == search._config.latent_steps
    assert any(before > 1 for before, _ in seen) and all(after <= 1 for _, after in seen)


def test_a_phase_moves_what_it_should_and_nothing_else(toy):
    search, *_ = toy

    def values():
        return search.latents.numpy().copy(), [v.numpy().copy() for v in search.forward.variables]

    latents, weights = values()
    search.train_surrogates()
    after_latents, after_weights = values()
    np.testing.assert_array_equal(latents, after_latents)
    assert all((a != b).any() for a, b in zip(weights, after_weights, strict=True))
    search.train_latents()
    final_latents, final_weights = values()
    assert (final_latents != latents).all()
    for before, after in zip(after_weights, final_weights, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_generator_runs_once_for_all_surrogate_steps(toy):
    search, *_ = toy
    calls = []
    generate = search.generate
    search.generate = lambda latents: calls.append(1) or generate(latents)
    search.train_surrogates.python_function()
    assert len(calls) == 1


def test_best_candidates_picks_by_distance():
    images = tf.reshape(tf.range(12.0), (1, 2, 3, 2))
    distances = tf.constant([[[3.0, 1.0, 2.0], [0.0, 5.0, 5.0]]])
    best = best_candidates(images, distances)
    np.testing.assert_array_equal(best, [[[[2.0, 3.0]], [[6.0, 7.0]]]])


def test_side_by_side_keeps_each_measurements_latents_together():
    latents = tf.reshape(tf.range(2 * 3 * 2), (2, 3, 2, 1, 1))
    joined = side_by_side(latents)
    assert joined.shape == (1, 3, 4, 1, 1)
    np.testing.assert_array_equal(joined[0, 1, :, 0, 0], [2, 3, 8, 9])
