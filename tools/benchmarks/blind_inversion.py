"""One outer round of Algorithm 1 (Sections 3.1 and 3.2), with random weights.

Random weights cost what trained ones do. Ours is compared with PyTorch in the same precision.
"""

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.blind_inversion"
SETTINGS = {"number": 25, "steps": 50, "width": 64, "problems": 50, "digits_width": 32}
TINY = {"number": 2, "steps": 2, "width": 4, "problems": 3, "digits_width": 4}
SOURCES = 3
ALPHA = 1e-4  # the paper's, of L_per; separations have none, as in `recipes.separate_digits`
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # PyTorch's name, ours


def comparisons(settings):
    """Restorations of images and separations of mixtures, in either precision of the prior.

    Args:
        settings: dict that may hold the `number` of images that share one operator, the `steps`
            of either phase, the `width` of the DCGAN; the number of `problems` that are separated
            at once, mixtures with an operator each, and the `digits_width` of their prior.
    """
    settings = SETTINGS | settings
    restorations = [_restoration(settings, precision) for precision in PRECISIONS]
    return restorations + [_separation(settings, precision) for precision in PRECISIONS]


def _restoration(settings, precision):
    shared = {name: settings[name] for name in ("number", "steps", "width")}
    cached = {"kind": "cached", "precision": precision}
    baselines = {"cached": cached, "cached, compiled": cached | {"compiled": True}}
    if precision == "float32":
        baselines["plain"] = {"kind": "plain"}
    ours = shared | {"precision": precision}
    cases = [Case("ours", f"{HERE}:our_restoration", ours)] + [
        Case(f"PyTorch, {name}", f"{HERE}:baseline_restoration", shared | options, baseline=True)
        for name, options in baselines.items()
    ]
    name = f"round of {settings['number']} blurred images, {precision}"
    return Comparison(name, cases, precision, "PyTorch, cached", shared)


def _separation(settings, precision):
    many = settings["problems"]
    shared = {
        "steps": settings["steps"],
        "width": settings["digits_width"],
        "precision": precision,
    }

    def case(whose, problems):
        of_baseline = whose == "PyTorch"
        return Case(
            f"{whose}, {problems} at once" if problems > 1 else f"{whose}, alone",
            f"{HERE}:{'baseline' if of_baseline else 'our'}_separation",
            shared | {"problems": problems},
            work=problems,
            baseline=of_baseline,
        )

    cases = [case(whose, n) for whose in ("ours", "PyTorch") for n in (many, 1)]
    name = f"round of {many} mixtures of {SOURCES}, each with an operator of its own, {precision}"
    return Comparison(name, cases, precision, f"PyTorch, {many} at once", shared)


def our_restoration(number, steps, width, precision):
    """A round of `blind_gan_tf.inversion.invert` with the paper's surrogate."""
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from blind_gan_tf.networks import DCGANDiscriminator, DCGANGenerator
    from blind_gan_tf.surrogate import LinearConvolution

    networks = (
        DCGANGenerator(width=width, dtype=precision),
        DCGANDiscriminator(width=width, dtype=precision),
    )
    return _our_round(
        _measurements(1, number, 64, 3),
        *networks,
        lambda seed: LinearConvolution(seed=seed),
        steps=steps,
        sources=1,
        alpha=ALPHA,
    )


def our_separation(problems, steps, width, precision):
    """The same for mixtures, each with an operator of its own."""
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from blind_gan_tf.networks import DigitGenerator
    from blind_gan_tf.surrogate import MixingNetwork

    return _our_round(
        _measurements(problems, 1, 32, 1),
        DigitGenerator(width=width, dtype=PRECISIONS[precision]),
        None,
        lambda seed: MixingNetwork(SOURCES, seed=seed),
        steps=steps,
        sources=SOURCES,
        alpha=0.0,
    )


def _our_round(measurements, generator, discriminator, surrogate, *, steps, sources, alpha):
    from blind_gan_tf.config import SearchConfig
    from blind_gan_tf.inversion import first_surrogates
    from blind_gan_tf.latents import Latents
    from blind_gan_tf.search import FrozenPrior, Search

    for network in (generator, discriminator):
        if network is not None:
            network.trainable = False
    config = SearchConfig(surrogate_steps=steps, latent_steps=steps, perceptual_weight=alpha)
    search = Search(
        measurements,
        FrozenPrior(generator, discriminator, Latents()),
        first_surrogates(
            surrogate,
            config=config,
            groups=len(measurements),
            seed=0,
            channels=measurements.shape[-1],
        ),
        config,
        sources=sources,
        seed=0,
        starts=1,
        candidates=1,
        identity=[False],
    )
    return lambda: {"loss": search.run_round()["latent_loss"]}


def baseline_restoration(number, steps, width, kind, **options):
    """A round of `pytorch_baselines.blind_inversion`."""
    from pytorch_baselines.blind_inversion import LinearConvolution
    from pytorch_baselines.priors import dcgan

    measurements = _measurements(1, number, 64, 3)
    return _baseline_round(
        kind,
        measurements,
        *dcgan(width=width),
        LinearConvolution(),
        sources=1,
        steps=steps,
        alpha=ALPHA,
        **options,
    )


def baseline_separation(problems, steps, width, **options):
    """The same for mixtures, each with an operator of its own."""
    from pytorch_baselines.blind_inversion import MixingNetworks
    from pytorch_baselines.priors import digits

    generator, _ = digits(width=width)
    return _baseline_round(
        "cached",
        _measurements(problems, 1, 32, 1),
        generator,
        None,
        MixingNetworks(problems, SOURCES),
        sources=SOURCES,
        steps=steps,
        alpha=0.0,
        **options,
    )


def _baseline_round(kind, measurements, *networks, sources, **options):
    import torch
    from pytorch_baselines.blind_inversion import CachedInversion, PlainInversion

    torch.manual_seed(0)
    latents = torch.rand(*measurements.shape[:2], sources, 100) * 2.0 - 1.0
    measurements = torch.from_numpy(measurements).permute(0, 1, 4, 2, 3)
    inversion = {"cached": CachedInversion, "plain": PlainInversion}[kind]
    inversion = inversion(measurements, *networks, latents, **options)
    return lambda: {"loss": inversion.run_round()}


def _measurements(operators, number, side, channels):
    """[operators, number, side, side, channels]."""
    import numpy as np

    shape = (operators, number, side, side, channels)
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)
