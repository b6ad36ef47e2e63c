"""Lower bounds of the memory that an experiment's config requires, before anything is built.

The reasons are those of `models/memory.py`, which does the same for an InverseNet.
"""

import math

from inversenet_tf.imaging.files.memory import check_floats_fit

TRAINED = 4  # floats for each trained weight: itself, its gradient and Adam's two moments
# Widths of each prior network's layers, from the latents on, relative to the layer next to images.
LAYERS = {"dcgan": (8, 4, 2, 1), "digits": (4, 4, 2, 2, 1)}
SIDE_OF_KERNELS = 4


def check_prior_fits(config) -> None:
    """Checks that the training of a prior fits into memory: both networks and a batch of images.

    Args:
        config: a valid `PriorConfig`.

    Raises:
        ValueError: it takes more memory than is free.
    """
    network, data, batch = config.network, config.data, config.training.batch_size
    copies = max(config.runtime.replicas, 1) * TRAINED
    generator, discriminator = network.generator_width, network.discriminator_width
    layers, latents = LAYERS[network.name], config.latents.size
    pairs = sum(one * other for one, other in zip(layers, layers[1:], strict=False))
    weights = SIDE_OF_KERNELS**2 * (generator**2 * pairs + latents * layers[0] * generator)
    sides = data.size, data.crop_size, 1 + 2 * data.padding
    floats = {
        f"The generator of network.generator_width {generator} and latents.size {latents}": copies
        * weights,
        f"The discriminator of network.discriminator_width {discriminator}": copies
        * SIDE_OF_KERNELS**2
        * discriminator**2
        * pairs,
        f"A batch of training.batch_size {batch}": batch
        * (2 * max(sides) ** 2 * data.channels + latents),
    }
    check_floats_fit(floats, whole=True)


def check_problem_fits(problem, data) -> None:
    """Checks that a problem fits into memory: all images and, where they are mixed, the mixtures.

    Args:
        problem: a valid `ProblemConfig`.
        data: the valid `DataConfig` that makes the images; their black border is counted as well.

    Raises:
        ValueError: they take more memory than is free.
    """
    images, of_an_image = problem.number * problem.sources, data.size**2 * data.channels
    border = (1 + 2 * data.padding) ** 2 * data.channels
    words = f"{images} images of data.size {data.size} and data.padding {data.padding}"
    floats = {words: images * of_an_image + border}
    if problem.task == "separation":
        mixtures = problem.mixing.mixtures
        words = f"{problem.number} measurements of problem.mixing.mixtures {mixtures}"
        floats[words] = mixtures * (problem.number * of_an_image + problem.sources)
    check_floats_fit(floats, whole=True)


def check_search_fits(
    search, *, measurements: int, groups: int, sources: int, image_shape: tuple[int, int, int]
) -> None:
    """Checks that the images of a search, all of which it generates at once, fit into memory.

    Args:
        search: a valid `SearchConfig`.
        measurements, groups: their numbers.
        sources: their number in each measurement.
        image_shape: (height, width, channels) of the prior's images.

    Raises:
        ValueError: they take more memory than is free.
    """
    of_an_image = math.prod(image_shape)
    starts = search.starts if not search.screening_rounds else search.survivors
    followed = measurements * sources * starts * search.candidates
    screened = measurements * sources * search.starts if search.screening_rounds else 0
    floats = {
        f"A search from {search.starts} starts (search.random_starts, search.identity_starts), "
        f"with search.candidates {search.candidates}, of {measurements} measurements": of_an_image
        * max(followed, screened)
    }
    if search.screening_rounds or search.candidates > 1:
        tried = groups * search.starts * search.random_candidates * sources
        words = f"A search with search.random_candidates {search.random_candidates}"
        floats[words] = of_an_image * tried
    check_floats_fit(floats, whole=True)


def check_surrogates_fit(surrogate, *, copies: int, channels: int) -> None:
    """Checks that the surrogates of a search fit into memory.

    Args:
        surrogate: a valid `SurrogateConfig`.
        copies: number of surrogates.
        channels: of the stacked images; measurements are taken to have one, at least.

    Raises:
        ValueError: they take more memory than is free.
    """
    side = surrogate.kernel_size
    if surrogate.name == "mixing":
        words, weights = f"surrogate.units {surrogate.units}", surrogate.units * (channels + 2)
    elif surrogate.name == "shared_kernel":
        words, weights = f"surrogate.kernel_size {side}", side**2
    else:
        words = f"surrogate.filters {surrogate.filters} and surrogate.kernel_size {side}"
        weights = side**2 * surrogate.filters * (channels + 1)
        if surrogate.name == "linear_convolution":  # whose two kernels are multiplied
            weights += side**4 * channels // TRAINED
    floats = {f"{copies} surrogates of {words}": copies * TRAINED * weights}
    check_floats_fit(floats, whole=True)
