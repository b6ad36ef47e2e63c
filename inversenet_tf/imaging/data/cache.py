"""Keeps decoded images in memory, for sets that are small enough."""

import numpy as np
from absl import logging

from inversenet_tf.imaging.data.sources import ImageSource
from inversenet_tf.imaging.files.images import ImageReadError
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.imaging.files.pixels import from_integers, to_uint8

MIB = 2**20


class Cached(ImageSource):
    """A source that loads each image of another source once and then keeps it.

    8-bit images are kept as bytes, in a quarter of the memory, and are returned bit for bit.
    """

    def __init__(self, source):
        super().__init__(source.spec, source.names)
        self.paired = source.paired
        self.files, self.measured_files = source.files, source.measured_files
        self.marks = source.marks
        self._source = source
        # Two threads may load the same image, with the same result; setting an item is atomic.
        self._kept = [None] * len(source)

    @property
    def labels(self):
        """The labels of the source."""
        return self._source.labels  # not in __init__: some sources take long to return them

    def load(self, index):
        return self.load_part(index, lambda height, width: (slice(0, height), slice(0, width)))

    def load_part(self, index, window):
        if self._kept[index] is None:
            self._kept[index] = _packed(self._source.load(index), self.paired)
        images = [_unpacked(image[window(*image.shape[:2])]) for image in self._kept[index]]
        return tuple(images) if self.paired else images[0]


def _packed(loaded, paired):
    """Returns what a source loads as a list of arrays to keep."""
    return [_smallest(image) for image in (loaded if paired else [loaded])]


def _smallest(image):
    """Returns an image as uint8 where that loses nothing, else unchanged."""
    pixels = to_uint8(image)
    return pixels if np.array_equal(from_integers(pixels), image) else image


def _unpacked(image):
    return from_integers(image) if image.dtype == np.uint8 else image.copy()


def decoded_bytes(source, sample=32):
    """Estimates the bytes that a whole source takes once cached, from some of its images.

    Args:
        source: an `ImageSource`.
        sample: the number of images to load at most, evenly spaced.

    Raises:
        ImageReadError: none of them can be read.
    """
    sizes = []
    for index in np.unique(np.linspace(0, len(source) - 1, sample).round().astype(int)):
        try:
            images = _packed(source.load(index), source.paired)
        except ImageReadError as error:
            fault = error
        else:
            sizes.append(sum(image.nbytes for image in images))
    if not sizes:
        raise fault
    return round(np.mean(sizes) * len(source))


def cached(source):
    """Returns a `Cached` source if it is expected to fit into memory.

    Raises:
        ValueError: it would take more than half of the available memory.
    """
    needed = decoded_bytes(source)
    allowed = memory_limit()  # the training needs the other half
    if needed > allowed:
        raise ValueError(
            f"Expected decoded images of at most {allowed / MIB:.0f} MiB, half of the available "
            f"memory, to cache. Received: {source.spec} of about {needed / MIB:.0f} MiB"
        )
    logging.info("Caching %s: about %d MiB decoded.", source.spec, round(needed / MIB))
    return Cached(source)
