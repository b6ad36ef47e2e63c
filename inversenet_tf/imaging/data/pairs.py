"""Makes batches of (measurements, images) from images: endless for training, or for evaluation."""

import dataclasses
import functools
import os

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.config import NoiseConfig
from inversenet_tf.imaging.data.patches import (
    central_window,
    draw_patch,
    drawn_or_next,
    load_part_of,
)
from inversenet_tf.imaging.files.images import ImageReadError, unreadable_image
from inversenet_tf.imaging.inputs import parts_of
from inversenet_tf.imaging.physics.noise import add_gaussian_noise, round_to_8_bits
from inversenet_tf.imaging.physics.operators import Identity

ONE_PROCESS = tf.distribute.InputContext()
# For functions without Python `if` or `for` over tensors, which AutoGraph need not translate.
as_it_is = tf.autograph.experimental.do_not_convert


def degrade(images, operator, noise, seed):
    """y = N(A(x)): the operator, then Gaussian noise, then storage in 8 bits.

    Args:
        images: [batch, height, width, channels] in [0, 1].
        operator: an `Operator`.
        noise: a `NoiseConfig`, or a function (measurements, seed) -> measurements.
        seed: int tensor of shape [2], or [batch, 2] as for `add_gaussian_noise`.

    Returns:
        measurements, float32.
    """
    return _with_noise(operator(images), noise, seed)


def _with_noise(measurements, noise, seed, fractions=1.0):
    """Applies N of `degrade`, with one fraction of the sensor's noise for all, or one per image."""
    if callable(noise):
        return noise(measurements, seed)
    if noise.gaussian_sigma > 0:
        measurements = add_gaussian_noise(measurements, fractions * noise.gaussian_sigma, seed)
    return round_to_8_bits(measurements) if noise.quantize else measurements


def degrade_each(images, operator, noise, seed, kernels, fractions):
    """Degrades each image with its own kernel and its own fraction of the noise.

    Args:
        images, noise, seed: as for `degrade`.
        operator: a `VariedBlur`.
        kernels, fractions: [batch, size, size] and [batch], as the operator draws them.

    Returns:
        A network's input dict: `measurements`, `kernels` and `noise_sigmas`, the standard
        deviation of the sensor's noise, [batch].
    """
    return {
        "measurements": _with_noise(operator(images, kernels), noise, seed, fractions),
        "kernels": kernels,
        "noise_sigmas": fractions * (0.0 if callable(noise) else noise.gaussian_sigma),
    }


def training_pairs(
    source, operator, noise, data, *, batch_size, seed, start=0, context=ONE_PROCESS
):
    """An endless stream of training batches.

    Args:
        source: an `ImageSource`.
        operator: an `Operator`; ignored where the source is paired.
        noise: a `NoiseConfig`; ignored where the source is paired.
        data: a `DataConfig`.
        batch_size: pairs per training step, over all replicas.
        seed: fixes order, patches and noise.
        start: training steps to skip at the beginning, so that a resumed run continues as if it
            had never stopped.
        context: `tf.distribute.InputContext` of the process. A step's pairs are the same for any
            number of replicas, and are divided among them in order.

    Returns:
        tf.data.Dataset of (measurements, images), float32: images of
        [batch_size / replicas, size, size, channels], and their measurements, for a `VariedBlur`
        without a fixed kernel as returned by `degrade_each`. It has as many elements per step as
        the process has replicas.

    Raises:
        ValueError: the source is paired and the operator changes the size of an image, or varies.
    """
    share = batch_size // context.num_input_pipelines
    first = start * batch_size + context.input_pipeline_id * share

    def position_of(count):
        step, place = count // share, count % share
        return first + step * batch_size + place

    positions = tf.data.Dataset.range(np.iinfo(np.int64).max).map(as_it_is(position_of))

    drawn = dataclasses.replace(data, size=data.size + 2 * data.margin)

    def load(position):
        return draw_patch(source, drawn, seed, position)

    def without_margin(inputs, images):
        measurements, told = parts_of(inputs)
        cut = _cut(measurements, data.margin // operator.scale)
        return {"measurements": cut} | told if told else cut, _cut(images, data.margin)

    def draw(position):
        return operator.training_draw(seed, position)

    batch = functools.partial(
        tf.data.Dataset.batch,
        batch_size=context.get_per_replica_batch_size(batch_size),
        drop_remainder=True,
    )
    image_shape = (drawn.size, drawn.size, data.channels)
    pairs = _make_pairs(positions, load, batch, source, operator, noise, image_shape, seed, draw)
    return (pairs.map(as_it_is(without_margin)) if data.margin else pairs).prefetch(4)


def evaluation_pairs(
    source,
    operator,
    noise,
    data,
    *,
    batch_size,
    seed,
    limit=None,
    largest_side=None,
    skip_unreadable=False,
    context=ONE_PROCESS,
):
    """Returns every image of a source once, in order, with its measurement.

    Args:
        source, operator, noise, data, batch_size, seed: as for `training_pairs`; where
            `data.evaluation_crop` is "whole" the images may differ in size and come one by one,
            trimmed at the bottom and the right to multiples of the operator's scale.
        limit: the number of images to stop after; None for all.
        largest_side: in pixels; larger whole images are cropped to their middle. None: no limit.
        skip_unreadable: whether the next image takes the place of one that cannot be read, as in a
            training. Otherwise such an image ends the dataset in an error, see `read_pairs`.
        context: `tf.distribute.InputContext` of the process; several processes share the images.

    Returns:
        tf.data.Dataset of (measurements, images), float32 [batch, height, width, channels];
        measurements as for `training_pairs`.

    Raises:
        ValueError: as for `training_pairs`.
    """
    whole = data.evaluation_crop == "whole"

    def window(height, width):
        if not whole:
            return central_window(height, width, source.paired, data)
        scale = 1 if source.paired else operator.scale
        return tuple(_middle(side, largest_side or side, scale) for side in (height, width))

    def load_one(index):
        return load_part_of(source, index, window, data.padding)

    def load(index):
        if skip_unreadable:
            return drawn_or_next(load_one, source, int(index))
        return load_one(int(index))

    count = len(source) if limit is None else min(limit, len(source))
    image_shape = (*((None, None) if whole else (data.size, data.size)), data.channels)
    indices = tf.data.Dataset.range(context.input_pipeline_id, count, context.num_input_pipelines)
    noise_seed = -1 - seed  # so that no training patch has the same noise
    batch = functools.partial(tf.data.Dataset.batch, batch_size=1 if whole else batch_size)
    pairs = _make_pairs(
        *(indices, load, batch, source, operator, noise, image_shape, noise_seed),
        draw=lambda index: operator.held_out_draw(index),
    )
    return pairs.prefetch(2)


def read_pairs(pairs):
    """Yields the batches of a dataset as NumPy arrays.

    Raises:
        ImageReadError: an image cannot be read, in place of TensorFlow's error.
    """
    try:
        yield from pairs.as_numpy_iterator()
    except tf.errors.OpError as error:
        message = unreadable_image(error)
        if message is None:
            raise
        raise ImageReadError(message) from error


def training_images(source, data, *, batch_size, seed, start=0, context=ONE_PROCESS):
    """Returns only the images of `training_pairs`."""
    pairs = training_pairs(
        source,
        Identity(),
        NoiseConfig(quantize=False),
        data,
        batch_size=batch_size,
        seed=seed,
        start=start,
        context=context,
    )
    return pairs.map(as_it_is(lambda measurements, images: images))


def evaluation_images(
    source, data, *, batch_size, limit=None, skip_unreadable=False, context=ONE_PROCESS
):
    """Returns only the images of `evaluation_pairs`."""
    pairs = evaluation_pairs(
        source,
        Identity(),
        NoiseConfig(quantize=False),
        data,
        batch_size=batch_size,
        seed=0,
        limit=limit,
        skip_unreadable=skip_unreadable,
        context=context,
    )
    return pairs.map(as_it_is(lambda measurements, images: images))


def _make_pairs(positions, load, batch, source, operator, noise, image_shape, seed, draw):
    """Maps a dataset of positions to one of batches of (measurements, images).

    Args:
        load: function from a position to [image] or [image, measurement], of any size.
        batch: function from a dataset of single images to one of batches.
        source, operator, noise, seed: as for `training_pairs`.
        image_shape: the shape to which images are scaled down; (None, None, channels) for any.
        draw: function from a position to a varied operator's kernel and fraction of the noise.
    """
    measurement_shape = image_shape
    if source.paired:
        _check_pairs_fit(source, operator)
    else:
        measurement_shape = _measurement_shape(operator, image_shape)

    def load_contiguous(position):
        return [np.ascontiguousarray(image) for image in load(position)]

    def load_pair(position):
        """Returns (measurement, image), or what is needed to measure the image in a batch."""
        loaded = tf.numpy_function(load_contiguous, [position], [tf.float32] * (1 + source.paired))
        image = tf.ensure_shape(loaded[0], (None, None, image_shape[-1]))
        image = tf.ensure_shape(_resized_down(image, image_shape[0]), image_shape)
        if source.paired:
            return tf.ensure_shape(loaded[1], measurement_shape), image
        seeds = tf.stack([tf.constant(seed, tf.int64), position])
        if not operator.is_varied:
            return seeds, image
        kernel, fraction = tf.numpy_function(draw, [position], [tf.float32, tf.float32])
        kernel = tf.ensure_shape(kernel, (operator.size, operator.size))
        return (seeds, kernel, tf.ensure_shape(fraction, ())), image

    def measured(drawn, images):
        if operator.is_varied:
            seeds, kernels, fractions = drawn
            inputs = degrade_each(images, operator, noise, seeds, kernels, fractions)
            measurements = tf.ensure_shape(inputs["measurements"], (None, *measurement_shape))
            if operator.kernel is not None:  # the network has it, and needs no kernel input
                return measurements, images
            return inputs | {"measurements": measurements}, images
        measurements = degrade(images, operator, noise, drawn)
        return tf.ensure_shape(measurements, (None, *measurement_shape)), images

    options = tf.data.Options()
    # Autotuning makes the end of an epoch wait for a sleeping thread, up to 20 s on two cores.
    options.autotune.enabled = False
    pairs = batch(positions.map(as_it_is(load_pair), num_parallel_calls=os.cpu_count()))
    # With AutoGraph: the caller's own operator or noise may contain a Python `if`.
    return (pairs if source.paired else pairs.map(measured)).with_options(options)


def _middle(side, largest, multiple):
    """Returns the middle slice of an axis of at most `largest`, cut at its end to a multiple."""
    kept = min(side, largest)
    start = (side - kept) // 2
    return slice(start, start + kept - kept % multiple)


def _cut(images, margin):
    """Cuts `margin` pixels off each side of images [batch, height, width, channels]."""
    return images[:, margin:-margin, margin:-margin]


def _check_pairs_fit(source, operator):
    if operator is not None and operator.is_varied:
        raise ValueError(
            "Expected images without measurements, as each is to be blurred by its own kernel. "
            f"Received: {source.spec}"
        )
    if operator is not None and operator.scale != 1:
        raise ValueError(
            "Expected an operator of scale 1 with pairs, whose images and measurements are of the "
            f"same size. Received: scale {operator.scale} with {source.spec}"
        )


def _measurement_shape(operator, image_shape):
    """The shape of the measurement of an image; height and width are None where they vary."""
    if None not in image_shape:
        return operator.measurement_shape(image_shape)
    block = (operator.scale, operator.scale, image_shape[-1])
    return (None, None, operator.measurement_shape(block)[-1])


def _resized_down(image, size):
    """Scales an image down to size x size, unless it has that size or `size` is None."""
    if size is None:
        return image

    def resized():
        smaller = tf.image.resize(image, (size, size), "bicubic", antialias=True)
        return tf.clip_by_value(smaller, 0.0, 1.0)

    return tf.cond(tf.shape(image)[0] == size, lambda: image, resized)
