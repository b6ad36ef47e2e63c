import numpy as np
import pytest
from benchmarks import blind_inversion as section

torch = pytest.importorskip("torch")

from pytorch_baselines import blind_inversion as baseline  # noqa: E402
from pytorch_baselines import priors  # noqa: E402

from blind_gan_tf.config import SearchConfig  # noqa: E402
from blind_gan_tf.inversion import invert  # noqa: E402
from blind_gan_tf.latents import Latents  # noqa: E402
from blind_gan_tf.networks import NETWORKS  # noqa: E402
from blind_gan_tf.surrogate import LinearConvolution, MixingNetwork  # noqa: E402

STEPS = 3
RATES = {"surrogate_learning_rate": 4e-3, "latent_learning_rate": 3e-2}
LATENTS = 6


def networks(name, channels):
    """Our generator and discriminator of width 4, and PyTorch's with the same weights."""
    ours = [kind(channels, 4, LATENTS) for kind in NETWORKS[name][:2]]
    theirs = priors.NETWORKS[name](channels, 4, LATENTS)
    random, spread = np.random.default_rng(0), {"dcgan": 0.3, "digits": 0.5}[name]
    for network, module in zip(ours, theirs, strict=True):
        for weight in network.weights:
            # Gradients far above Adam's epsilon, which PyTorch adds elsewhere.
            low, high = (0.5, 1.0) if len(weight.shape) == 1 else (-spread, spread)
            weight.assign(random.uniform(low, high, weight.shape))
        network.trainable = False
        priors.load_weights(module, network)
    return ours, theirs


def our_round(measurements, generator, discriminator, surrogate, **options):
    """A round of ours: first latents [o, n, s, T], the surrogates' first weights, what it found."""
    first, weights = [], []
    config = SearchConfig(rounds=1, surrogate_steps=STEPS, latent_steps=STEPS, **RATES)
    config.perceptual_weight = 1.0 if discriminator else 0.0

    def begin(search, stage):
        first.append(search.latents.numpy()[:, :, 0])
        weights.extend(variable.numpy() for variable in search.forward.variables)
        return []

    result = invert(
        measurements,
        generator,
        discriminator,
        surrogate,
        config,
        latents=Latents(LATENTS),
        on_start=begin,
        **options,
    )
    return first[0], weights, result


def their_round(kind, measurements, generator, discriminator, surrogate, latents):
    measurements = torch.from_numpy(measurements).permute(0, 1, 4, 2, 3)
    inversion = kind(
        measurements,
        generator,
        discriminator,
        surrogate,
        torch.from_numpy(latents),
        steps=STEPS,
        alpha=1.0 if discriminator else 0.0,
        **RATES,
    )
    inversion.run_round()
    return inversion.latents.detach().numpy()


@pytest.mark.parametrize("kind", [baseline.PlainInversion, baseline.CachedInversion])
def test_a_round_for_blurred_images_is_ours(kind):
    (generator, discriminator), theirs = networks("dcgan", 3)
    measurements = section._measurements(1, 2, 64, 3)
    first, weights, result = our_round(
        measurements[0], generator, discriminator, lambda seed: LinearConvolution(seed=seed)
    )
    surrogate = baseline.LinearConvolution()
    for target, array in zip(surrogate.parameters(), weights, strict=True):
        priors.copy_array(target, array[0])
    latents = their_round(kind, measurements, *theirs, surrogate, first)
    np.testing.assert_allclose(latents[0], result.latents, atol=1e-4)
    assert np.abs(latents - first).max() > 0.05
    for target, ours in zip(
        surrogate.parameters(), result.surrogates[0].get_weights(), strict=True
    ):
        kernel = target.detach().numpy().transpose(2, 3, 1, 0)
        np.testing.assert_allclose(kernel, ours, atol=1e-4)


@pytest.mark.parametrize("kind", [baseline.PlainInversion, baseline.CachedInversion])
def test_a_round_for_several_mixtures_is_ours(kind):
    (generator, _), (their_generator, _) = networks("digits", 1)
    measurements = section._measurements(2, 2, 32, 1)
    first, weights, result = our_round(
        measurements.reshape(4, 32, 32, 1),
        generator,
        None,
        lambda seed: MixingNetwork(3, 1, seed=seed),
        sources=3,
        group_size=2,
    )
    surrogate = baseline.MixingNetworks(2, 3)
    names = ("first", "first_bias", "second", "second_bias")
    for name, array in zip(names, weights, strict=True):
        getattr(surrogate, name).data.copy_(torch.from_numpy(array))
    latents = their_round(kind, measurements, their_generator, None, surrogate, first)
    np.testing.assert_allclose(latents.reshape(4, 3, LATENTS), result.latents, atol=1e-4)
    for index, name in enumerate(names):
        ours = np.stack([model.get_weights()[index] for model in result.surrogates])
        np.testing.assert_allclose(getattr(surrogate, name).detach(), ours, atol=1e-4)


def test_the_cached_baseline_makes_images_once_for_all_surrogate_steps():
    _, (generator, discriminator) = networks("dcgan", 3)
    measurements = torch.rand(1, 2, 3, 64, 64)
    made = []
    generator.register_forward_hook(lambda *_: made.append(1))
    for kind, times in (
        (baseline.PlainInversion, 2 * STEPS),
        (baseline.CachedInversion, STEPS + 1),
    ):
        made.clear()
        inversion = kind(
            measurements,
            generator,
            discriminator,
            baseline.LinearConvolution(),
            torch.rand(1, 2, 1, LATENTS),
            steps=STEPS,
        )
        inversion.run_round()
        assert len(made) == times


@pytest.mark.parametrize("comparison", range(4))
def test_a_case_is_run_by_both(comparison):
    comparison = section.comparisons(section.TINY)[comparison]
    assert comparison.counted in [case.name for case in comparison.cases]
    for case in (comparison.cases[0], comparison.cases[-1]):
        _, function = case.prepare.split(":")
        turn = getattr(section, function)(**case.options)
        assert np.isfinite(turn()["loss"])
