"""The interface of image sources, sources made of others, and sources held in memory.

A source is an indexed, finite set of images. That makes every position of a training run a pure
function of the seed, so that an interrupted run continues exactly where it was.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from inversenet_tf.imaging.files.pixels import from_integers, to_luma

TRAINING, HELD_OUT = "training", "held_out"
IDX_UNSIGNED_BYTES = b"\x00\x00\x08"


class ImageSource:
    """A finite, ordered set of images.

    Attributes:
        spec: the string that opens it again.
        names: one unique name per image.
        paired: whether `load` also returns the user's own measurement of the image.
        labels: int array [len], the class of every image, or None where it is not known.
        files: the path of every image's own file; empty where images have none.
        measured_files: the path of every pair's measurement; empty where there are no pairs.
        marks: for images packed several to a file, a pair of numbers for each that changes with the
            content of its file.
    """

    paired = False
    labels = None
    files = ()
    measured_files = ()
    marks = ()

    def __init__(self, spec, names):
        self.spec = spec
        self.names = names

    def __len__(self):
        return len(self.names)

    def load(self, index):
        """Returns image `index`, or (image, measurement) where the source is paired.

        Each is float32 [height, width, channels] in [0, 1].
        """
        raise NotImplementedError

    def load_part(self, index, window):
        """Returns a part of what `load` returns, the same part of image and measurement.

        Sources that can skip the rest override it; faults in the rest may then go unnoticed.

        Args:
            index: of the image.
            window: function from (height, width) to the slices of rows and columns.
        """
        if not self.paired:
            return _part(self.load(index), window)
        return tuple(_part(image, window) for image in self.load(index))


class Joined(ImageSource):
    """Several sources, one after another; names begin with the number of their source."""

    def __init__(self, spec, sources):
        names = [f"{n}/{name}" for n, source in enumerate(sources) for name in source.names]
        super().__init__(spec, names)
        self._places = [(source, i) for source in sources for i in range(len(source))]
        self.files = [path for source in sources for path in source.files]

    def load(self, index):
        source, place = self._places[index]
        return source.load(place)

    def load_part(self, index, window):
        source, place = self._places[index]
        return source.load_part(place, window)


class Selection(ImageSource):
    """Some images of another source, in any order."""

    def __init__(self, source, indices):
        super().__init__(source.spec, [source.names[i] for i in indices])
        self.paired = source.paired
        self.files = [source.files[i] for i in indices] if source.files else ()
        self._source = source
        self._indices = indices

    @property
    def labels(self):
        """The labels of the chosen images; None where the source has none."""
        labels = self._source.labels  # not in __init__: some sources take long to return them
        return None if labels is None else labels[self._indices]

    def load(self, index):
        return self._source.load(self._indices[index])

    def load_part(self, index, window):
        return self._source.load_part(self._indices[index], window)


def sample_of(source: ImageSource, count: int, seed: int) -> ImageSource:
    """Returns at most `count` images of a source, drawn at random, in the source's order.

    Args:
        source: an `ImageSource`.
        count: the maximum number of images.
        seed: the same seed draws the same images.
    """
    if len(source) <= count:
        return source
    chosen = np.random.default_rng(seed).permutation(len(source))[:count]
    return Selection(source, np.sort(chosen))


def spread_over(source: ImageSource, count: int) -> ImageSource:
    """Returns at most `count` images of a source, evenly spread over all of them.

    Args:
        source: an `ImageSource`.
        count: the maximum number of images.
    """
    if len(source) <= count:
        return source
    return Selection(source, [place * len(source) // count for place in range(count)])


def _photograph_loaders():
    """Returns {split: {name: function that reads the photograph}}."""
    import skimage.data  # both are imported here, as other sources do without them
    import sklearn.datasets

    return {
        TRAINING: {
            "astronaut": skimage.data.astronaut,
            "rocket": skimage.data.rocket,
            "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
            "china": lambda: sklearn.datasets.load_sample_image("china.jpg"),
            "flower": lambda: sklearn.datasets.load_sample_image("flower.jpg"),
        },
        HELD_OUT: {"chelsea": skimage.data.chelsea, "coffee": skimage.data.coffee},
    }


class Photos(ImageSource):
    """The colour photographs that scikit-image and scikit-learn ship, held in memory.

    Chelsea the cat and the cup of coffee are held out; nothing ever trains on them.
    """

    def __init__(self, split, channels, minimum_side):
        loaders = _photograph_loaders()[split]
        super().__init__(f"photos@{split}", list(loaders))
        images = [from_integers(load()) for load in loaders.values()]
        self._images = images if channels == 3 else [to_luma(image) for image in images]
        least = min(min(image.shape[:2]) for image in images)
        if least < minimum_side:
            raise ValueError(
                f"Expected images of at least {minimum_side} pixels a side. Received: {self.spec}, "
                f"the smallest of {least} pixels."
            )

    def load(self, index):
        return self._images[index]


class Digits(ImageSource):
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships, scaled up.

    The last fifth is held out.
    """

    SIDE = 32
    HELD_OUT_FRACTION = 0.2

    def __init__(self, split, channels, minimum_side):
        if minimum_side > self.SIDE:
            raise ValueError(
                f"Expected images of at least {minimum_side} pixels a side. Received: digits, "
                f"which have {self.SIDE}."
            )
        import sklearn.datasets  # not needed by other sources

        digits = sklearn.datasets.load_digits()
        first = round(len(digits.images) * (1 - self.HELD_OUT_FRACTION))
        chosen = slice(first) if split == TRAINING else slice(first, None)
        indices = range(len(digits.images))[chosen]
        super().__init__(f"digits@{split}", [f"digit-{index}" for index in indices])
        self.labels = digits.target[chosen]
        self._images = digits.images[chosen].astype(np.float32) / digits.images.max()
        self._channels = channels

    def load(self, index):
        image = Image.fromarray(self._images[index])
        image = np.asarray(image.resize((self.SIDE, self.SIDE), Image.Resampling.BICUBIC))
        return np.clip(image, 0.0, 1.0)[..., None].repeat(self._channels, -1)


class Idx(ImageSource):
    """MNIST and similar sets, from a directory with their IDX files, gzipped or not."""

    FILES = {
        TRAINING: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        HELD_OUT: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    }

    def __init__(self, directory, split, channels, minimum_side):
        images, labels = (_read_idx(Path(directory).expanduser(), n) for n in self.FILES[split])
        if images.ndim != 3 or len(images) != len(labels):
            raise ValueError(
                f"Expected as many images as labels in {directory}. Received: arrays of shape "
                f"{images.shape} and {labels.shape}."
            )
        if min(images.shape[1:]) < minimum_side:
            raise ValueError(
                f"Expected images of at least {minimum_side} pixels a side. Received: "
                f"{directory}, whose images are {images.shape[1]}x{images.shape[2]}."
            )
        names = [f"{split}-{index}" for index in range(len(images))]
        super().__init__(f"idx:{directory}@{split}", names)
        self.labels = labels
        self._images = images
        self._channels = channels

    def load(self, index):
        return from_integers(self._images[index])[..., None].repeat(self._channels, -1)


def _part(image, window):
    return image[window(*image.shape[:2])]


def _read_idx(directory, name):
    """Reads the array in an IDX file: two zeros, type, rank, then big-endian sizes and bytes."""
    path = next((p for p in (directory / f"{name}.gz", directory / name) if p.is_file()), None)
    if path is None:
        raise ValueError(f"Expected {name} or {name}.gz in {directory}. Received: no such file.")
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"Cannot read {path}: {error}") from error
    rank = content[3] if content[:3] == IDX_UNSIGNED_BYTES else 0
    shape = np.frombuffer(content[4 : 4 + 4 * rank], ">u4")
    if not rank or len(content) != 4 + 4 * rank + shape.prod():
        raise ValueError(f"Expected an IDX file of bytes. Received: {path}, which is not one.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
