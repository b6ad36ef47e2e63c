import numpy as np
import tensorflow as tf
from blind_gan.toys import linear_generator, toy_prior

from blind_gan_tf.config import SearchConfig
from blind_gan_tf.forward import FixedOperator
from blind_gan_tf.inversion import invert
from blind_gan_tf.latents import Latents
from blind_gan_tf.random_candidates import RenewingSearch, Screening
from blind_gan_tf.search import FrozenPrior

SIZE = 3


def mix(images):
    """Two sources, [.., 2] -> [.., 1]: the first counts twice, so that they can be told apart."""
    return tf.reduce_sum(images * [2.0, 1.0], -1, keepdims=True)


def toy_search(kind, candidates=1, **options):
    generator, _ = linear_generator(SIZE)
    latents = np.random.default_rng(3).uniform(-1, 1, (2, 2, SIZE)).astype(np.float32)
    images = (generator(latents.reshape(-1, SIZE)).numpy() + 1) / 2
    stacked = np.moveaxis(images.reshape(2, 2, *images.shape[1:3]), 1, -1)
    config = SearchConfig(perceptual_weight=0.0, random_candidates=40, **options)
    return kind(
        mix(stacked).numpy()[None].astype(np.float32),
        FrozenPrior(generator, None, Latents(SIZE)),
        FixedOperator([mix]),
        config,
        sources=2,
        seed=1,
        starts=1,
        candidates=candidates,
        identity=[False],
    )


def test_the_library_is_searched_one_source_after_the_other():
    search = toy_search(Screening)
    before = search.latents.numpy()[0, :, 0]
    random_candidates = Latents(SIZE).draw((40,), tf.constant([1, 1], tf.int64)).numpy()
    measurements = search._measurements.numpy()[0]

    def distance(pair, measurement):
        images = (search._prior.generator(pair).numpy() + 1) / 2
        return np.abs(mix(np.moveaxis(images[..., 0], 0, -1)).numpy() - measurement).sum()

    expected = before.copy()
    for source in (0, 1):
        for index, measurement in enumerate(measurements):
            tries = [expected[index]] + [expected[index].copy() for _ in random_candidates]
            for pair, latent in zip(tries[1:], random_candidates, strict=True):
                pair[source] = latent
            expected[index] = min(tries, key=lambda pair: distance(pair, measurement))
    search.search_random_candidates()
    np.testing.assert_allclose(search.latents.numpy()[0, :, 0], expected, atol=1e-6)
    assert (expected != before).any()


def test_the_library_never_makes_a_fit_worse():
    search = toy_search(Screening)
    residuals = [search.run_round()["residual"][0] for _ in range(4)]
    assert residuals == sorted(residuals, reverse=True)


def test_new_candidates_keep_the_best_and_draw_the_others():
    search = toy_search(RenewingSearch, candidates=3)
    before, distances = search.latents.numpy(), search.residuals().numpy()
    search.renew_candidates()
    after = search.latents.numpy()
    for index in range(2):
        np.testing.assert_array_equal(
            after[0, index, 0], before[0, index, distances[0, index].argmin()]
        )
    assert not np.isin(after[0, :, 1:], before).any()


def test_candidates_are_renewed_on_time_and_not_too_late():
    search = toy_search(RenewingSearch, candidates=2, renew_every=2, rounds=7, latent_steps=1)
    renewed = []
    search.renew_candidates = lambda: renewed.append(int(search.round))
    search.search_random_candidates = lambda: None
    for _ in range(7):
        search.run_round()
    assert renewed == [0, 2, 4]  # at 6 one round would be left, less than `renew_every`


def test_a_trial_hands_its_best_start_over():
    generator, _ = linear_generator(SIZE)
    images = (generator(np.full((2, SIZE), 0.3, np.float32)).numpy() + 1) / 2
    config = SearchConfig(
        rounds=1,
        latent_steps=1,
        latent_learning_rate=1e-9,
        random_starts=3,
        screening_rounds=2,
        random_candidates=20,
        perceptual_weight=0.0,
    )
    stages = []

    def watch(search, history, stage):
        stages.append((stage, search.mean_residuals()))

    result = invert(
        images, toy_prior(generator), operator=tf.identity, search=config, on_round=watch
    )
    assert [stage for stage, _ in stages] == ["screening", "screening", "search"]
    np.testing.assert_allclose(stages[2][1], stages[1][1].min(keepdims=True), rtol=1e-4)
    assert len(result.screening) == 2 and len(result.history) == 1
    assert result.start[0] == stages[1][1].argmin()  # of all starts, not of the survivors
