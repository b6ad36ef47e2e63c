import itertools

import numpy as np
from blind_gan.test_separation import digits

from blind_gan_tf.matching import matched_in_groups, unmatched
from inversenet_tf.imaging.metrics import MetricProfile, intensity_normalised, psnr

PROFILE = MetricProfile()


def mean_psnr(images, truth):
    return float(np.mean(psnr(images.reshape(-1, 12, 12, 1), truth.reshape(-1, 12, 12, 1))))


def test_a_group_has_one_order_and_one_sign_of_each_source():
    sources = digits(0, 4, 3)
    first = np.stack([7 - sources[:2, 2], sources[:2, 0], 0.3 * sources[:2, 1] + 5], axis=1)
    estimates = np.concatenate([first, sources[2:, [1, 2, 0]]])
    groups = [slice(0, 2), slice(2, 4)]
    matched, wanted = matched_in_groups(estimates, sources, profile=PROFILE, groups=groups)
    np.testing.assert_allclose(wanted, intensity_normalised(sources))
    np.testing.assert_allclose(matched, wanted, atol=1e-5)


def test_a_mixture_may_not_choose_an_order_of_its_own():
    sources = digits(1, 3, 2)
    estimates = sources.copy()
    estimates[2] = sources[2, ::-1]  # two of three say: the first order
    together = [slice(0, 3)]
    matched, wanted = matched_in_groups(estimates, sources, profile=PROFILE, groups=together)
    np.testing.assert_allclose(matched[:2], wanted[:2], atol=1e-6)
    np.testing.assert_allclose(matched[2], wanted[2, ::-1], atol=1e-6)


def test_the_order_of_a_group_is_the_best_of_all():
    sources, estimates = digits(2, 4, 2), digits(3, 4, 3)
    groups = [slice(0, 4)]
    matched, wanted = matched_in_groups(estimates, sources, profile=PROFILE, groups=groups)
    candidates = intensity_normalised(estimates)
    tried = []
    for order in itertools.permutations(range(3), 2):
        for signs in itertools.product((False, True), repeat=2):
            chosen = candidates[:, list(order)].copy()
            for source, inverted in enumerate(signs):
                chosen[:, source] = 1 - chosen[:, source] if inverted else chosen[:, source]
            tried.append(mean_psnr(chosen, wanted))
    assert abs(mean_psnr(matched, wanted) - max(tried)) < 1e-4


def test_a_group_is_matched_for_the_best_sum_and_not_greedily():
    """The estimate that is nearest to the first source is the only one near the second."""
    first, second, other = np.random.default_rng(0).random((3, 2, 24, 24, 1)).astype(np.float32)
    sources = np.stack([first, second], axis=1)
    mixed, poor = 0.58 * first + 0.42 * second, 0.5 * first + 0.5 * other
    estimates = np.stack([mixed, poor], axis=1)
    scores = [
        [mean_psnr(intensity_normalised(e), intensity_normalised(s)) for e in (mixed, poor)]
        for s in (first, second)
    ]
    assert scores[0][0] > scores[0][1] and scores[1][0] > scores[1][1] + 3
    together = [slice(0, 2)]
    matched, _ = matched_in_groups(estimates, sources, profile=PROFILE, groups=together)
    np.testing.assert_allclose(matched, intensity_normalised(estimates[:, ::-1]), atol=1e-6)


def test_what_is_told_the_order_is_granted_none():
    sources = digits(4, 2, 2)
    images, wanted = unmatched(0.5 * sources[:, ::-1], sources)
    np.testing.assert_allclose(images, wanted[:, ::-1], atol=1e-6)
