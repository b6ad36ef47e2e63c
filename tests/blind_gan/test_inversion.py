import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from blind_gan.eager_inversion import eager_inversion
from blind_gan.toys import SIDE, linear_generator, mean_discriminator, toy_prior

from blind_gan_tf.config import SearchConfig
from blind_gan_tf.inversion import has_stalled, invert
from blind_gan_tf.search import SearchDiverged
from blind_gan_tf.surrogate import LinearConvolution, MixingNetwork
from inversenet_tf.imaging.physics.operators import Blur

KERNEL = np.array([[0.0, 0.1, 0.0], [0.2, 0.4, 0.05], [0.05, 0.2, 0.0]], np.float32)


class OneConvolution(keras.Model):
    """A caller's own surrogate: one convolution of 3 x 3 pixels."""

    def __init__(self, seed):
        inputs = keras.Input((SIDE, SIDE, 1))
        padded = keras.layers.Lambda(wrapped)(inputs)
        start = keras.initializers.RandomNormal(0.3, 0.05, seed=seed)
        layer = keras.layers.Conv2D(1, 3, use_bias=False, kernel_initializer=start)
        super().__init__(inputs, layer(padded))
        self.seed = seed

    def get_config(self):
        return {"seed": self.seed}


def wrapped(images):
    wide = tf.concat([images[:, -1:], images, images[:, :1]], 1)
    return tf.concat([wide[:, :, -1:], wide, wide[:, :, :1]], 2)


def planted(count, seed=1, size=6):
    generator, _ = linear_generator(size)
    latents = np.random.default_rng(seed).uniform(-0.9, 0.9, (count, size)).astype(np.float32)
    images = (generator(latents).numpy() + 1.0) / 2.0
    return generator, latents, images


def test_a_known_operator_gives_back_planted_latents():
    generator, latents, images = planted(5)
    operator = Blur(KERNEL)
    config = SearchConfig(
        rounds=12, latent_steps=100, latent_learning_rate=2e-2, perceptual_weight=0.0
    )
    config.schedule = "cosine"
    result = invert(
        operator(images).numpy(), toy_prior(generator), operator=operator, search=config
    )
    np.testing.assert_allclose(result.latents[:, 0], latents, atol=1e-2)
    np.testing.assert_allclose(result.images[:, 0], images, atol=1e-3)


def test_an_unknown_kernel_is_found_with_the_latents():
    # What is identifiable: images are (G + 1) / 2 with G linear, so that their constant part fixes
    # the kernel's sum and with it the scale of the latents.
    generator, latents, images = planted(12)
    measurements = Blur(KERNEL)(images).numpy()
    config = SearchConfig(
        rounds=120, latent_learning_rate=1e-2, surrogate_learning_rate=2e-3, random_starts=2
    )
    config.schedule, config.perceptual_weight = "cosine", 0.0
    result = invert(measurements, toy_prior(generator), OneConvolution, search=config)
    np.testing.assert_allclose(result.latents[:, 0], latents, atol=1e-3)
    # TensorFlow's convolution is a correlation, hence the flip.
    kernel = result.operators[0].get_weights()[0][::-1, ::-1, 0, 0]
    np.testing.assert_allclose(kernel, KERNEL, atol=1e-3)
    np.testing.assert_allclose(result.estimates, measurements, atol=1e-3)


def test_a_callers_model_is_where_the_surrogate_begins_and_stays_as_it_is():
    generator, _, images = planted(4)
    inputs = keras.Input((SIDE, SIDE, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="gain")(inputs))
    model.set_weights([np.full((1, 1, 1, 1), 0.7), np.zeros(1)])
    config = SearchConfig(rounds=1, surrogate_steps=1, latent_steps=1, perceptual_weight=0.0)
    result = invert(images, toy_prior(generator), model, search=config)
    gain = float(np.squeeze(result.operators[0].get_weights()[0]))
    assert abs(gain - 0.7) == pytest.approx(
        config.surrogate_learning_rate, rel=1e-2
    )  # Adam's first step
    np.testing.assert_array_equal(model.get_weights()[0], np.float32(0.7))


def test_latents_end_inside_the_projection():
    generator, _, images = planted(3)
    config = SearchConfig(
        rounds=2, latent_steps=40, latent_learning_rate=0.5, perceptual_weight=0.0
    )
    white = np.ones_like(images)  # asks for latents far outside
    result = invert(white, toy_prior(generator), operator=tf.identity, search=config)
    assert np.abs(result.latents).max() == 1.0


@pytest.mark.parametrize("sources", [1, 2])
def test_the_compiled_loops_compute_what_the_plain_loop_does(sources):
    generator, _ = linear_generator()
    discriminator = mean_discriminator()
    measurements = np.random.default_rng(2).uniform(0, 1, (3, SIDE, SIDE, 2)).astype(np.float32)
    config = SearchConfig(rounds=2, surrogate_steps=3, latent_steps=4, latent_learning_rate=1e-2)
    config.perceptual_weight = 0.5
    first, kept = [], []

    def begin(search, stage):
        first.append(search.latents.numpy()[0, :, 0])
        return []

    def surrogate(seed):
        kept.append(MixingNetwork(sources, 2, units=5, seed=seed))
        return MixingNetwork(sources, 2, units=5, seed=seed)

    result = invert(
        measurements,
        toy_prior(generator, discriminator),
        surrogate,
        search=config,
        sources=sources,
        on_start=begin,
    )
    plain = eager_inversion(
        measurements, generator, discriminator, kept[0], first[0], config, lambda: None
    )
    np.testing.assert_allclose(result.latents, plain, atol=1e-5)
    for ours, theirs in zip(result.operators[0].get_weights(), kept[0].get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_seed_gives_the_same_answer_twice_and_another_seed_another():
    generator, _, images = planted(4)
    config = SearchConfig(
        rounds=2, surrogate_steps=2, latent_steps=2, random_starts=2, random_candidates=9
    )
    config.perceptual_weight, config.candidates, config.screening_rounds = 0.0, 2, 1
    answers = [
        invert(
            images,
            toy_prior(generator),
            lambda s: LinearConvolution(1, 1, filters=4, kernel_size=3, seed=s),
            search=config,
            seed=seed,
        )
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(answers[0].latents, answers[1].latents)
    assert np.abs(answers[0].latents - answers[2].latents).max() > 0.01


def test_groups_have_operators_of_their_own():
    generator, _, images = planted(6)
    operators = [lambda x: 0.3 * x, lambda x: 0.9 * x]
    measurements = np.concatenate([operators[0](images[:3]), operators[1](images[3:])])
    config = SearchConfig(
        rounds=60, latent_learning_rate=1e-2, perceptual_weight=0.0, random_starts=2
    )

    def surrogate(seed):
        return LinearConvolution(1, 1, filters=2, kernel_size=1, seed=seed)

    result = invert(measurements, toy_prior(generator), surrogate, search=config, group_size=3)
    gains = [float(np.squeeze(np.matmul(*model.get_weights()))) for model in result.operators]
    assert len(gains) == 2
    assert abs(gains[0] - 0.3) < 0.05 and abs(gains[1] - 0.9) < 0.05


def of_kernel(side, boundary="circular"):
    return LinearConvolution(1, 1, filters=2, kernel_size=side, boundary=boundary, seed=side)


@pytest.mark.parametrize(
    ("surrogates", "message"),
    [
        ([of_kernel(3), of_kernel(5)], "weights differ in shape"),
        ([of_kernel(3), of_kernel(3, "reflect")], "one for group 1 that differs in more"),
    ],
)
def test_groups_have_surrogates_of_one_architecture(surrogates, message):
    generator, _, images = planted(4)
    config = SearchConfig(rounds=1, perceptual_weight=0.0)
    with pytest.raises(ValueError, match=message):
        invert(images, toy_prior(generator), surrogates, search=config, group_size=2)


def test_the_best_start_is_kept_for_a_group_and_the_best_latents_for_a_measurement():
    generator, _, images = planted(4)
    config = SearchConfig(rounds=1, latent_steps=1, random_starts=3, perceptual_weight=0.0)
    seen = []

    def watch(search, history, stage):
        distances = search.residuals().numpy()[:, :, 0]
        seen.append(distances)

    result = invert(
        images, toy_prior(generator), operator=tf.identity, search=config, on_round=watch
    )
    np.testing.assert_allclose(result.residuals, seen[0].min(0), rtol=1e-5)
    assert result.start[0] == seen[0].mean(1).argmin()


def test_identity_starts_first_fit_the_measurements_themselves():
    generator, latents, images = planted(3)
    config = SearchConfig(rounds=2, random_starts=1, identity_starts=1, identity_rounds=1)
    config.perceptual_weight, config.latent_steps, config.latent_learning_rate = 0.0, 200, 2e-2
    distances = []

    def watch(search, history, stage):
        images_now, _ = search.generate(tf.convert_to_tensor(search.latents.value))
        distances.append(np.abs(images_now.numpy()[:, :, 0] - images).mean((1, 2, 3, 4)))

    def constant(seed):  # a surrogate that says nothing of its input
        inputs = keras.Input((SIDE, SIDE, 1))
        outputs = keras.layers.Dense(1, kernel_initializer="zeros", trainable=False)(inputs)
        return keras.Model(inputs, outputs)

    config.surrogate_steps = 0
    invert(images, toy_prior(generator), constant, search=config, on_round=watch)
    random, identity = distances[0]
    assert identity < 0.1 * random


def test_identity_starts_need_measurements_like_images():
    generator, _, images = planted(3)
    config = SearchConfig(identity_starts=1, perceptual_weight=0.0)
    with pytest.raises(ValueError, match="Expected measurements of 1 channels"):
        invert(images.repeat(2, -1), toy_prior(generator), OneConvolution, search=config)


def test_a_search_stops_when_no_start_makes_progress():
    config = SearchConfig(patience=2, least_progress=0.01)
    record = lambda *residual: {"residual": list(residual)}  # noqa: E731
    assert not has_stalled([record(5.0), record(5.0)], config)
    assert has_stalled([record(5.0), record(5.0), record(4.99)], config)
    assert not has_stalled([record(5.0, 9.0), record(5.0, 8.0), record(5.0, 7.0)], config)
    assert not has_stalled([record(5.0)] * 9, dataclasses.replace(config, patience=0))
    generator, _, images = planted(2)
    config = SearchConfig(rounds=50, latent_steps=1, latent_learning_rate=1e-9, patience=3)
    config.perceptual_weight = 0.0
    result = invert(images, toy_prior(generator), operator=tf.identity, search=config)
    assert len(result.history) == 4


def test_nan_says_where_and_the_state_before_is_kept():
    generator, _, images = planted(3)
    config = SearchConfig(rounds=9, surrogate_steps=2, latent_steps=2, perceptual_weight=0.0)
    states = []

    def watch(search, history, stage):
        states.append(search.latents.numpy().copy())
        if len(history) == 3:
            for variable in search.forward.variables:
                variable.assign(variable * np.inf)

    with pytest.raises(SearchDiverged, match="surrogate steps of round 4") as raised:
        invert(images, toy_prior(generator), OneConvolution, search=config, on_round=watch)
    assert np.isfinite(states[-1]).all() and len(states) == 3
    assert "latent_learning_rate" in str(raised.value)


@pytest.mark.parametrize(
    ("measurements", "options", "message"),
    [
        (np.zeros((2, SIDE + 1, SIDE, 1)), {}, "Expected measurements of the prior's size"),
        (np.full((2, SIDE, SIDE, 1), np.nan), {}, "Expected finite measurements"),
        (np.zeros((SIDE, SIDE, 1)), {}, "Expected finite measurements"),
        (np.zeros((3, SIDE, SIDE, 1)), {"group_size": 2}, "Expected a multiple of 2"),
        (np.zeros((0, SIDE, SIDE, 1)), {}, "Expected finite measurements"),
        (np.zeros((2, SIDE, SIDE, 3)), {}, "Expected a surrogate that returns 3 channels"),
    ],
)
def test_bad_measurements_are_refused(measurements, options, message):
    generator, _ = linear_generator()
    with pytest.raises(ValueError, match=message):
        config = SearchConfig(perceptual_weight=0.0)
        invert(measurements, toy_prior(generator), OneConvolution, search=config, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": SearchConfig(schedule="cosin")}, "search.schedule"),
        ({"search": SearchConfig(random_starts=0)}, "search.starts >= 1"),
        ({"sources": 0}, "sources >= 1"),
        ({"group_size": -2}, "group_size >= 0"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    generator, _, images = planted(2)
    options = {"search": SearchConfig(perceptual_weight=0.0)} | options
    with pytest.raises(ValueError, match=message):
        invert(images, toy_prior(generator), OneConvolution, **options)


def test_the_perceptual_term_needs_a_discriminator():
    generator, _, images = planted(2)
    with pytest.raises(ValueError, match="Expected a discriminator"):
        invert(images, toy_prior(generator), OneConvolution)
