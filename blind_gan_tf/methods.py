"""The blind inversion and its baselines by name: problem -> recovered images (Section 3)."""

import numpy as np
import tensorflow as tf
from sklearn.decomposition import FastICA

from blind_gan_tf.inversion import invert
from blind_gan_tf.mixing import additive
from blind_gan_tf.surrogate import build_surrogate
from inversenet_tf.imaging.baselines.wiener import wiener as wiener_deconvolution

ICA_ITERATIONS = 1000


def degraded(problem, prior, config, watch):
    """The measurement itself; where sources were mixed, each mixture as a guess at a source."""
    if config.problem.task == "restoration":
        return problem.measurements[:, None]
    mixtures = np.moveaxis(problem.measurements, -1, 1)[..., None]
    missing = max(0, config.problem.sources - mixtures.shape[1])
    return np.concatenate([mixtures, *[mixtures[:, :1]] * missing], axis=1)


def random_images(problem, prior, config, watch):
    """Random samples of the prior: what no look at the measurements gives."""
    shape = (len(problem.measurements), config.problem.sources)
    samples = prior.sample(int(np.prod(shape)), seed=config.seed).numpy()
    return samples.reshape(*shape, *samples.shape[1:])


def wiener(problem, prior, config, watch):
    """Deconvolution with the kernel known, no prior of images."""
    sigma = config.problem.noise.gaussian_sigma
    restored = [
        wiener_deconvolution(problem.measurements[group], operator.kernel, sigma)
        for group, operator in zip(problem.groups, problem.operators, strict=True)
    ]
    return np.concatenate(restored)[:, None]


def ica(problem, prior, config, watch):
    """Independent component analysis; all measurements of one operator share its components."""
    separated = []
    sources = config.problem.sources
    for group in problem.groups:
        mixtures = problem.measurements[group]
        analysis = FastICA(sources, random_state=config.seed, max_iter=ICA_ITERATIONS)
        components = analysis.fit_transform(mixtures.reshape(-1, mixtures.shape[-1]))
        separated.append(components.reshape(*mixtures.shape[:3], sources))
    return np.moveaxis(np.concatenate(separated), -1, 1)[..., None]


def pgd(problem, prior, config, watch):
    """Projected gradient descent on the latents with no operator: G(z) fits the measurement."""
    return _search(problem, prior, config, watch, operator=tf.identity)


def pgd_known(problem, prior, config, watch):
    """Projected gradient descent on the latents with the true operator."""
    return _search(problem, prior, config, watch, operator=problem.operators)


def naive(problem, prior, config, watch):
    """Projected gradient descent on the latents, the mixture taken for the plain sum."""
    mixtures = problem.measurements.shape[-1]
    operator = additive(mixtures, config.problem.mixing.signed)
    return _search(problem, prior, config, watch, operator=operator)


def blind(problem, prior, config, watch):
    """Algorithm 1."""
    channels = problem.measurements.shape[-1]
    image_channels = config.problem.sources * prior.image_shape[-1]

    def surrogate(seed):
        return build_surrogate(config.surrogate, image_channels, channels, seed)

    return _search(problem, prior, config, watch, surrogate=surrogate)


def _search(problem, prior, config, watch, **forward):
    """Algorithm 1 with a `surrogate`, or with an `operator` and as many starts of the latents."""
    return invert(
        problem.measurements,
        prior,
        **forward,
        search=config.search,
        sources=config.problem.sources,
        group_size=problem.group_size,
        seed=config.seed,
        on_start=watch.start,
        on_round=watch.round,
    )


METHODS = {
    "degraded": degraded,
    "random": random_images,
    "pgd": pgd,
    "wiener": wiener,
    "pgd_known": pgd_known,
    "naive": naive,
    "ica": ica,
    "blind": blind,
}


def admitted(problem, prior, config):
    """Which of the config's methods a problem admits, in the order of `METHODS`."""
    channels = problem.measurements.shape[-1]
    restoring = config.problem.task == "restoration"
    same_channels = channels == prior.image_shape[-1]
    known = problem.operators is not None
    kernels = [getattr(operator, "kernel", None) for operator in problem.operators or []]
    blurred = kernels and all(kernel is not None and kernel.min() >= 0 for kernel in kernels)
    possible = {
        "degraded": known and (same_channels or not restoring),
        "random": True,
        "pgd": restoring and same_channels,
        "wiener": restoring and bool(blurred),
        "pgd_known": known,
        "naive": not restoring,
        "ica": not restoring and channels >= config.problem.sources,
        "blind": True,
    }
    return [name for name in METHODS if name in config.methods and possible[name]]
