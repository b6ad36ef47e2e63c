"""Draws the patches that a training sees, by seed and position."""

import functools

import numpy as np
from absl import logging

from inversenet_tf.imaging.files.images import ImageReadError


@functools.lru_cache(maxsize=2)
def _epoch_order(seed, epoch, length):
    return np.random.default_rng([seed, epoch]).permutation(length)


def draw_patch(source, data, seed, position):
    """The training patch at `position`: a pure function of its arguments.

    Args:
        source: an `ImageSource`.
        data: a `DataConfig`; its `size`, `crop`, `crop_size`, `crop_fraction`, `min_scale`,
            `padding` and `augmentation` are used.
        seed: of the run.
        position: the number of patches drawn before this one.

    Returns:
        [image] or [image, measurement], square patches with sides of at least `data.size` pixels;
        the caller scales larger ones down to it.
    """
    epoch, place = divmod(int(position), len(source))

    def draw(index):
        generator = np.random.default_rng([seed, int(position), 1])

        @functools.cache  # so that an image and its measurement get the same random window
        def window(height, width):
            if data.crop == "random":
                return _random_window(height, width, source.paired, data, generator)
            return central_window(height, width, source.paired, data)

        patches = load_part_of(source, index, window, data.padding)
        if source.paired:
            return patches
        return [_turned(patch, data.augmentation, generator.integers(8)) for patch in patches]

    return drawn_or_next(draw, source, _epoch_order(seed, epoch, len(source))[place])


def load_part_of(source, index, window, padding):
    """Returns a list of an image's part and, where the source is paired, its measurement's part."""
    if padding:  # the window refers to the padded image
        loaded = source.load(index)
        images = [bordered(image, padding) for image in (loaded if source.paired else [loaded])]
        return [image[window(*image.shape[:2])] for image in images]
    loaded = source.load_part(index, window)
    return list(loaded) if source.paired else [loaded]


def central_window(height, width, paired, data):
    """Returns the slices of the central square that the config asks for."""
    return center_window(height, width, data.size if paired else data.center_side((height, width)))


def _random_window(height, width, paired, data, generator):
    """Returns the slices of a square of random size and position."""
    side = data.size
    if not paired and data.min_scale < 1:  # a pair's operator is tied to its pixels
        scale = np.exp(generator.uniform(np.log(data.min_scale), 0.0))
        side = min(round(data.size / scale), height, width)
    _check_sides(height, width, side)
    top = int(generator.integers(height - side + 1))
    left = int(generator.integers(width - side + 1))
    return slice(top, top + side), slice(left, left + side)


def drawn_or_next(draw, source, index):
    """Draws from an image or, where it has become unreadable, warns and tries the next.

    Args:
        draw: function from the index of an image.
        source: an `ImageSource`.
        index: of the first image to try.

    Raises:
        ImageReadError: none of the source can be read.
    """
    for candidate in range(index, index + len(source)):
        try:
            return draw(candidate % len(source))
        except ImageReadError as error:
            logging.warning("Skipped: %s", error)
            reason = error
    raise ImageReadError(
        f"Expected a readable image in {source.spec}. Received: none; the last one: {reason}"
    )


def _turned(image, augmentation, choice):
    """Applies one of the symmetries that an augmentation allows, before measuring."""
    if augmentation == "none":
        return image
    if choice % 2:
        image = image[:, ::-1]
    return np.rot90(image, choice // 2) if augmentation == "dihedral" else image


def bordered(image, padding):
    """Adds `padding` black pixels on each of an image's four sides."""
    return np.pad(image, ((padding, padding), (padding, padding), (0, 0))) if padding else image


def center_window(height, width, size):
    """Returns the slices of rows and columns of the central size x size pixels."""
    _check_sides(height, width, size)
    top, left = (height - size) // 2, (width - size) // 2
    return slice(top, top + size), slice(left, left + size)


def _check_sides(height, width, least):
    if min(height, width) < least:
        raise ValueError(f"Expected at least {least} pixels a side. Received: {height}x{width}")
