"""Mixtures of digits on the page, with a prior that was not trained."""

import threading
import types

import pytest

import blind_gan_tf as blind
from blind_gan_tf.latents import Latents
from blind_gan_tf.networks import NETWORKS, DigitDiscriminator, DigitGenerator
from blind_gan_tf.prior import Prior, save_prior
from inversenet_tf.page.digits import ENLARGED, SOURCES, Separator
from inversenet_tf.page.limits import Cancelled, Progress, Told

SEARCH = blind.SearchConfig(rounds=2, surrogate_steps=1, latent_steps=1, perceptual_weight=0.0)


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    path = tmp_path_factory.mktemp("prior") / "prior.keras"
    generator, discriminator = DigitGenerator(width=2, latent_size=5), DigitDiscriminator(width=2)
    save_prior(Prior(generator, discriminator, Latents(5)), path)
    return path


def test_digits_are_mixed_and_taken_apart(prior):
    told = []
    progress = Progress(lambda fraction, words: told.append(fraction), threading.Event())
    done = Separator(prior).separate(2, 4, seed=0, progress=progress, search=SEARCH)
    assert told == [0.0, 0.5, 1.0] and "dB" in done.words
    height = (2 * (32 + 2) - 2) * ENLARGED  # two sets, two pixels between them
    widths = [(number * (32 + 2) - 2) * ENLARGED for number in (4, SOURCES, SOURCES)]
    pictures = (done.mixtures, done.recovered, done.truth)
    assert [picture.shape for picture in pictures] == [(height, width) for width in widths]
    assert all(picture.min() >= 0 and picture.max() == 1 for picture in pictures)


def test_a_separation_is_cancelled_and_too_many_sets_are_refused(prior):
    stop = threading.Event()
    progress = Progress(lambda fraction, words: stop.set() if fraction else None, stop)
    separator = Separator(prior)
    with pytest.raises(Cancelled):
        separator.separate(1, 2, seed=0, progress=progress, search=SEARCH)
    stop.clear()
    with pytest.raises(Told, match="Expected 1 to 119 sets. Received: 200"):
        separator.separate(200, 2, seed=0, progress=progress)


def test_a_seed_that_was_cleared_is_zero():
    gradio = pytest.importorskip("gradio", reason="the page needs the extra app")
    from inversenet_tf.page.digits_tab import digits_tab
    from inversenet_tf.page.visitors import Visits

    seeds = []

    class Mixer:
        def separate(self, sets, mixtures, seed, report):
            seeds.append(seed)
            raise Told("That is all.")

    with gradio.Blocks() as page:
        digits_tab(Mixer(), Visits())
    [separate] = [fn.fn for fn in page.fns.values() if fn.name == "separate"]
    visitor = types.SimpleNamespace(session_hash="ours")
    for seed in (None, 3):
        assert "That is all." in separate(2, 4, seed, visitor)[-1]
    assert seeds == [0, 3]


def test_a_prior_of_colours_is_refused(tmp_path):
    generator, discriminator = NETWORKS["digits"]
    networks = generator(channels=3, width=2, latent_size=5), discriminator(channels=3, width=2)
    save_prior(Prior(*networks, Latents(5)), tmp_path / "prior.keras")
    with pytest.raises(ValueError, match="prior of gray images. Received"):
        Separator(tmp_path / "prior.keras")
