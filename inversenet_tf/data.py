"""Opens the operator and the sources of the training and held-out images of a config."""

import copy
import dataclasses

from absl import logging

from inversenet_tf.imaging.data.cache import cached
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.overlap import warn_of_overlap
from inversenet_tf.imaging.data.pairs import evaluation_images, evaluation_pairs, read_pairs
from inversenet_tf.imaging.data.patches import drawn_or_next
from inversenet_tf.imaging.data.sources import spread_over
from inversenet_tf.imaging.metrics import SSIM_WINDOW
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.imaging.physics.spectra import fit_spectrum

SPECTRUM_IMAGES = 100  # that a spectrum is fitted to, at most
EXAMPLES = 8  # images in TensorBoard
EXAMPLE_SIDE = 256  # at most


def with_own_test_images(config):
    """Leaves out a data set's test images if the other images are the caller's own.

    With this, the configs of the paper's data sets train on folders of the same images, too.
    """
    data = config.data
    is_own = not any(spec.startswith("tfds:") for spec in (data.train, data.validation))
    if not (is_own and data.test.startswith("tfds:")):
        return config
    logging.info("Left out: %s. Name test images of your own as data.test.", data.test)
    config = copy.deepcopy(config)
    config.data.test = ""
    return config


def open_data(config, operator=None):
    """The forward operator, the training images and the held-out ones of a config.

    Args:
        config: a `Config`.
        operator: the caller's own; None for the config's.

    Raises:
        ValueError: a source or kernel that cannot be used.
    """
    data = config.data
    operator = operator or build_operator(config.operator)
    operator.validate((data.size, data.size, data.channels))
    images = open_source(data.train, TRAINING, data.channels, data.minimum_side)
    if config.runtime.cache:
        images = cached(images)
    held_out = open_held_out(data.validation, operator, config)
    if images.paired != held_out.paired:
        logging.warning("Only one of training and validation uses pairs: their operators differ.")
    warn_of_overlap(images, held_out)
    _check_test(config, operator, images, held_out)
    return operator, images, held_out


def _check_test(config, operator, images, held_out):
    """Checks, before any training, that test images exist and neither train nor validate."""
    if not config.data.test:
        return
    test = open_held_out(config.data.test, operator, config)
    if test.spec in (images.spec, held_out.spec):
        raise ValueError(
            "Expected data.test to name images used neither to train nor to choose a checkpoint. "
            f"Received: {test.spec}, as in data.train or data.validation"
        )
    warn_of_overlap(images, test, "test")
    warn_of_overlap(held_out, test, "test", "validation")


def spectrum_of(images, data):
    """Fits a `Spectrum` to up to `SPECTRUM_IMAGES` images of a source, spread over all.

    Images are taken at the scale of the training, as a crop that is scaled down has another
    spectrum; where patches are drawn at random, the images are taken whole.

    Args:
        images: an `ImageSource`.
        data: a `DataConfig`.

    Raises:
        ValueError: none of them is large enough, or none varies along its rows.
    """
    chosen = spread_over(images, SPECTRUM_IMAGES)
    part = "whole" if data.crop == "random" else "center"
    taken = dataclasses.replace(data, evaluation_crop=part)
    # Streamed, so that memory holds a few.
    batches = evaluation_images(chosen, taken, batch_size=1, skip_unreadable=True)
    return fit_spectrum(image for [image] in read_pairs(batches))


def open_held_out(spec, operator, config):
    """The images of a source that are large enough to be measured and scored."""
    side = config.data.minimum_side
    if config.data.evaluation_crop == "whole":
        side = max(SSIM_WINDOW + 2 * config.metrics.crop, *operator.kernel_shape)
        side += -side % operator.scale  # what remains of an image trimmed to multiples
    return open_source(spec, HELD_OUT, config.data.channels, side)


def example_batch(source, operator, config, noise=None):
    """(measurements, images) of the first few images of a source, cropped to one size."""
    data = config.data
    count = min(EXAMPLES, len(source))
    if data.evaluation_crop == "whole":
        loaded = [drawn_or_next(source.load, source, index) for index in range(count)]
        shapes = [(pair[0] if source.paired else pair).shape for pair in loaded]
        side = min(EXAMPLE_SIDE, *(min(shape[:2]) for shape in shapes))
        side -= side % operator.scale
        data = dataclasses.replace(
            data, evaluation_crop="center", size=side, crop_size=0, crop_fraction=0.0
        )
    pairs = evaluation_pairs(
        source,
        operator,
        noise or config.noise,
        data,
        batch_size=count,
        seed=config.training.seed,
        limit=count,
        skip_unreadable=True,
    )
    return next(read_pairs(pairs))
