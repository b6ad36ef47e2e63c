"""The blind inversion and its baselines by name: from a setting to recovered images (Section 3)."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf
from sklearn.decomposition import FastICA

from blind_gan_tf.config import ESTIMATED, InversionConfig
from blind_gan_tf.inversion import invert
from blind_gan_tf.mixing import additive
from blind_gan_tf.prior import Prior
from blind_gan_tf.problems import Problem, stacked, unstacked
from blind_gan_tf.refinement import refine
from blind_gan_tf.search_log import SearchLog
from blind_gan_tf.surrogate import build_surrogate
from inversenet_tf.imaging.baselines.wiener import wiener as wiener_deconvolution
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernels import from_file

ICA_ITERATIONS = 1000


@dataclasses.dataclass
class Setting:
    """The inputs of a method.

    Attributes:
        problem: a `Problem`; of its truth, a method uses only what its docstring says.
        prior: a `Prior`.
        config: an `InversionConfig`.
        watch: the `SearchLog` of the method's search.
        outputs: what the methods that ran before returned, by name.
    """

    problem: Problem
    prior: Prior
    config: InversionConfig
    watch: SearchLog
    outputs: dict


def degraded(setting):
    """The measurements themselves; each mixture is taken as an estimate of one source."""
    measurements, problem = setting.problem.measurements, setting.config.problem
    if problem.task == "restoration":
        return measurements[:, None]
    mixtures = np.moveaxis(measurements, -1, 1)[..., None]
    missing = max(0, problem.sources - mixtures.shape[1])
    return np.concatenate([mixtures, *[mixtures[:, :1]] * missing], axis=1)


def random_images(setting):
    """Random samples of the prior, which ignore the measurements."""
    shape = (len(setting.problem.measurements), setting.config.problem.sources)
    samples = setting.prior.sample(int(np.prod(shape)), seed=setting.config.seed).numpy()
    return samples.reshape(*shape, *samples.shape[1:])


def wiener(setting):
    """Wiener deconvolution: kernel and noise level known, without the GAN prior."""
    problem = setting.problem
    sigma = setting.config.problem.noise.gaussian_sigma
    restored = [
        wiener_deconvolution(problem.measurements[group], operator.kernel, sigma)
        for group, operator in zip(problem.groups, problem.operators, strict=True)
    ]
    return np.concatenate(restored)[:, None]


def ica(setting):
    """Independent component analysis; all measurements of one operator share its components."""
    separated = []
    sources = setting.config.problem.sources
    for group in setting.problem.groups:
        mixtures = setting.problem.measurements[group]
        analysis = FastICA(sources, random_state=setting.config.seed, max_iter=ICA_ITERATIONS)
        components = analysis.fit_transform(mixtures.reshape(-1, mixtures.shape[-1]))
        separated.append(components.reshape(*mixtures.shape[:3], sources))
    return np.moveaxis(np.concatenate(separated), -1, 1)[..., None]


def pgd(setting):
    """Projected gradient descent on the latents without an operator: G(z) fits the measurement.

    Signed measurements are compared with the generator's output in [-1, 1], as in the paper.
    """
    signed = setting.config.problem.signed
    return _search(setting, operator=in_signed_range if signed else tf.identity)


def in_signed_range(images):
    """Images in [0, 1] -> [-1, 1]."""
    return 2.0 * images - 1.0


def pgd_known(setting):
    """Projected gradient descent on the latents with the true operator."""
    return _search(setting, operator=setting.problem.operators)


def naive(setting):
    """Projected gradient descent on the latents, taking each mixture for a plain sum of sources."""
    mixtures = setting.problem.measurements.shape[-1]
    return _search(setting, operator=additive(mixtures, setting.config.problem.mixing.signed))


def nearest_in_range(setting):
    """The G(z) nearest to each true image: a bound for all searches within the prior's range."""
    images = setting.problem.images
    nearest = _search(
        setting,
        measurements=images_alone(setting.problem),
        operator=tf.identity,
        sources=1,
        group_size=0,
    )
    return nearest.images.reshape(images.shape)


def images_alone(problem):
    """The true images of all measurements in one batch: [N * S, height, width, c]."""
    return problem.images.reshape(-1, *problem.images.shape[2:])


def blind(setting):
    """Algorithm 1."""
    surrogates = [
        functools.partial(_surrogate, setting, kernel) for kernel in initial_kernels(setting)
    ]
    return _search(setting, surrogate=surrogates)


def _surrogate(setting, kernel, seed):
    config = setting.config
    return build_surrogate(
        config.surrogate,
        image_channels=config.problem.sources * setting.prior.image_shape[-1],
        channels=setting.problem.measurements.shape[-1],
        seed=seed,
        initial_kernel=kernel,
    )


def initial_kernels(setting):
    """The initial kernel of each group's surrogates, or None for a random one.

    With `surrogate.initial_kernel` "auto", it is estimated from the group's own measurements.
    """
    problem, config = setting.problem, setting.config.surrogate
    if config.initial_kernel == ESTIMATED:
        return [estimated_kernel(problem.measurements[g], config) for g in problem.groups]
    kernel = kernel_to_begin_with(config)
    return [kernel for _ in problem.groups]


def estimated_kernel(measurements, config):
    """Estimates the blur kernel that measurements share.

    Args:
        measurements: [n, height, width, channels] in [0, 1].
        config: a `SurrogateConfig`, for the kernel's largest size and its boundary condition.
    """
    estimate = estimate_kernel(measurements, config.boundary, largest=config.kernel_size)
    return estimate.kernel


def kernel_to_begin_with(config):
    """The kernel in the file that a `SurrogateConfig` names, or None where it names none.

    Raises:
        ValueError: the file cannot be read as a kernel.
    """
    if config.initial_kernel in ("", ESTIMATED):
        return None
    return from_file(config.initial_kernel)


def blind_refined(setting):
    """Images near those of `blind` that may leave the prior's range."""
    problem, inversion = setting.problem, setting.outputs["blind"]
    images = stacked(inversion.images)
    refined = [
        refine(
            images[group],
            problem.measurements[group],
            operator=operator,
            config=setting.config.refinement,
        )
        for group, operator in zip(problem.groups, inversion.operators, strict=True)
    ]
    return unstacked(np.concatenate(refined), inversion.images.shape[1])


def _search(setting, **options):
    """Algorithm 1 with a `surrogate`, or with an `operator` and the same number of starts."""
    problem, config = setting.problem, setting.config
    shared = {
        "measurements": problem.measurements,
        "search": config.search,
        "sources": config.problem.sources,
        "group_size": problem.group_size,
        "seed": config.seed,
        "on_start": setting.watch.start,
        "on_round": setting.watch.round,
    }
    return invert(prior=setting.prior, **(shared | options))


METHODS = {
    "degraded": degraded,
    "random": random_images,
    "pgd": pgd,
    "wiener": wiener,
    "pgd_known": pgd_known,
    "naive": naive,
    "ica": ica,
    "range": nearest_in_range,
    "blind": blind,
    "blind_refined": blind_refined,
}


def fitted(method, problem):
    """What the search of a method fits: the measurements, or for `range` the images themselves."""
    return images_alone(problem) if method == "range" else problem.measurements


def admitted(problem, prior, config):
    """Those of the config's methods that a problem admits, in the order of `METHODS`."""
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
        "range": problem.images is not None,
        "blind": True,
        "blind_refined": restoring and "blind" in config.methods,
    }
    return [name for name in METHODS if name in config.methods and possible[name]]
