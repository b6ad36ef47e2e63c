"""Images -> batches of (measurements, images), for training without end and for evaluation."""

import functools
import os

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.noise import add_gaussian_noise, round_to_8_bits


def degrade(images, operator, noise, seed):
    """y = N(A(x)): the operator, then storage in 8 bits, then Gaussian noise.

    Args:
        images: [batch, height, width, channels] in [0, 1].
        operator: an `Operator`.
        noise: a `NoiseConfig`.
        seed: int tensor of shape [2].

    Returns:
        measurements, float32.
    """
    measurements = operator(images)
    if noise.eight_bit:
        measurements = round_to_8_bits(measurements)
    if noise.gaussian_sigma > 0:
        measurements = add_gaussian_noise(measurements, noise.gaussian_sigma, seed)
    return measurements


@functools.lru_cache(maxsize=2)
def _epoch_order(seed, epoch, length):
    return np.random.default_rng([seed, epoch]).permutation(length)


def draw_patch(source, data, seed, position):
    """The training patch at `position`: a pure function of its arguments.

    Args:
        source: an `ImageSource`.
        data: a `DataConfig`; its `size`, `crop`, `min_scale` and `flips` are used.
        seed: of the run.
        position: how many patches were drawn before this one.

    Returns:
        [image] or [image, measurement], square patches of at least `data.size` pixels; larger
        ones are meant to be scaled down to it.
    """
    epoch, place = divmod(int(position), len(source))
    loaded = source.load(_epoch_order(seed, epoch, len(source))[place])
    images = list(loaded) if source.paired else [loaded]
    if data.crop == "center":
        return [center_crop(image, data.size) for image in images]
    generator = np.random.default_rng([seed, int(position), 1])
    height, width = images[0].shape[:2]
    side = data.size
    if not source.paired and data.min_scale < 1:  # a pair's operator is tied to its pixels
        scale = np.exp(generator.uniform(np.log(data.min_scale), 0.0))
        side = min(round(data.size / scale), height, width)
    top = generator.integers(height - side + 1)
    left = generator.integers(width - side + 1)
    patches = [image[top : top + side, left : left + side] for image in images]
    if not source.paired and data.flips and generator.integers(2):
        patches = [patch[:, ::-1] for patch in patches]
    return patches


def center_crop(image, size):
    """The central size x size pixels of an image."""
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def training_pairs(source, operator, noise, data, *, batch_size, seed, start=0):
    """An endless stream of training batches.

    Args:
        source: an `ImageSource`.
        operator: an `Operator`; ignored where the source is paired.
        noise: a `NoiseConfig`; ignored where the source is paired.
        data: a `DataConfig`.
        batch_size: pairs a batch.
        seed: fixes order, patches and noise.
        start: batches to leave out at the beginning, so that a resumed run goes on as if it had
            never stopped.

    Returns:
        tf.data.Dataset of (measurements, images), float32 [batch_size, size, size, channels].
    """
    shape = (data.size, data.size, data.channels)

    def load(position):
        drawn = draw_patch(source, data, seed, position)
        return [np.ascontiguousarray(patch) for patch in drawn]

    def make_pair(position):
        drawn = tf.numpy_function(load, [position], [tf.float32] * (1 + source.paired))
        if source.paired:
            image, measurement = drawn
        else:
            image = tf.ensure_shape(drawn[0], (None, None, data.channels))
            image = _resize_down(image, data.size)
            pair_seed = tf.stack([tf.constant(seed, tf.int64), position])
            measurement = degrade(image[None], operator, noise, pair_seed)[0]
        return tf.ensure_shape(measurement, shape), tf.ensure_shape(image, shape)

    positions = tf.data.Dataset.range(start * batch_size, np.iinfo(np.int64).max)
    pairs = positions.map(make_pair, num_parallel_calls=os.cpu_count())
    return _options(pairs.batch(batch_size, drop_remainder=True).prefetch(4))


def _resize_down(image, size):
    if image.shape[0] == size:
        return image
    resized = tf.image.resize(image, (size, size), "bicubic", antialias=True)
    return tf.clip_by_value(resized, 0.0, 1.0)


def evaluation_pairs(source, operator, noise, data, *, batch_size, seed, limit=None):
    """Every image of a source once, in order, with its measurement.

    Args:
        source, operator, noise, data, batch_size, seed: as for `training_pairs`; where
            `data.evaluation_crop` is "whole" the images may differ in size and come one by one.
        limit: the number of images to stop after; None for all.

    Returns:
        tf.data.Dataset of (measurements, images), float32 [batch, height, width, channels].
    """
    whole = data.evaluation_crop == "whole"

    def load(index):
        loaded = source.load(int(index))
        images = loaded if source.paired else [loaded]
        images = [image if whole else center_crop(image, data.size) for image in images]
        return [np.ascontiguousarray(image) for image in images]

    def make_pair(index):
        loaded = tf.numpy_function(load, [index], [tf.float32] * (1 + source.paired))
        shape = (None, None, data.channels) if whole else (data.size, data.size, data.channels)
        images = [tf.ensure_shape(image, shape) for image in loaded]
        if source.paired:
            image, measurement = images
        else:
            image = images[0]
            pair_seed = tf.stack([tf.constant(seed, tf.int64), index])
            measurement = degrade(image[None], operator, noise, pair_seed)[0]
        return measurement, image

    count = len(source) if limit is None else min(limit, len(source))
    pairs = tf.data.Dataset.range(count).map(make_pair, num_parallel_calls=os.cpu_count())
    return _options(pairs.batch(1 if whole else batch_size).prefetch(2))


def _options(dataset):
    options = tf.data.Options()
    # Autotuning makes the end of an epoch wait for a sleeping thread, up to 20 s on two cores.
    options.autotune.enabled = False
    return dataset.with_options(options)
