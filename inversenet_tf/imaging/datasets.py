"""Where images come from: `open_source("photos" | "digits" | "folder:DIR" | "tfds:NAME" | ...)`.

A source is an indexed, finite set of images. That makes every position of a training run a pure
function of the seed, so that an interrupted run goes on exactly where it was.
"""

import gzip
import re
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from absl import logging
from PIL import Image

from inversenet_tf.imaging.io import (
    PILLOW_MODES,
    ImageReadError,
    from_uint8,
    inspect_images,
    list_images,
    read_image,
    to_luma,
    usable_images,
)

TRAINING, HELD_OUT = "training", "held_out"
IDX_UNSIGNED_BYTES = b"\x00\x00\x08"
NAMED_SKIPS = 20  # skipped files that are named one by one


class ImageSource:
    """A finite, ordered set of images.

    Attributes:
        spec: the string that opens it again.
        names: one unique name per image.
        paired: whether `load` also returns a measurement of the user's own.
        labels: int array [len], the class of every image, or None where it is not known.
    """

    paired = False
    labels = None

    def __init__(self, spec, names):
        self.spec = spec
        self.names = names

    def __len__(self):
        return len(self.names)

    def load(self, index):
        """Returns image `index`, or (image, measurement) where paired.

        Each is float32 [height, width, channels] in [0, 1].
        """
        raise NotImplementedError


class Photos(ImageSource):
    """The colour photographs that scikit-image and scikit-learn ship, held in memory.

    Chelsea the cat and the cup of coffee are held out; nothing ever trains on them.
    """

    LOADERS = {
        TRAINING: {
            "astronaut": skimage.data.astronaut,
            "rocket": skimage.data.rocket,
            "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
            "china": lambda: sklearn.datasets.load_sample_image("china.jpg"),
            "flower": lambda: sklearn.datasets.load_sample_image("flower.jpg"),
        },
        HELD_OUT: {"chelsea": skimage.data.chelsea, "coffee": skimage.data.coffee},
    }

    def __init__(self, split, channels, minimum_side):
        loaders = self.LOADERS[split]
        super().__init__(f"photos@{split}", list(loaders))
        images = [from_uint8(load()) for load in loaders.values()]
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
    HELD_OUT_SHARE = 0.2

    def __init__(self, split, channels, minimum_side):
        if minimum_side > self.SIDE:
            raise ValueError(
                f"Expected images of at least {minimum_side} pixels a side. Received: digits, "
                f"which have {self.SIDE}."
            )
        digits = sklearn.datasets.load_digits()
        first = round(len(digits.images) * (1 - self.HELD_OUT_SHARE))
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
    """MNIST and its kin, from a directory with their IDX files, gzipped or not."""

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
        return from_uint8(self._images[index])[..., None].repeat(self._channels, -1)


def _read_idx(directory, name):
    """One array of an IDX file: two zeros, type, rank, then big-endian sizes and the bytes."""
    path = next((p for p in (directory / f"{name}.gz", directory / name) if p.is_file()), None)
    if path is None:
        raise ValueError(f"Expected {name} or {name}.gz in {directory}. Received: no such file.")
    try:
        content = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    except (OSError, EOFError) as error:
        raise ValueError(f"Cannot read {path}: {error}") from error
    rank = content[3] if content[:3] == IDX_UNSIGNED_BYTES else 0
    shape = np.frombuffer(content[4 : 4 + 4 * rank], ">u4")
    if not rank or len(content) != 4 + 4 * rank + shape.prod():
        raise ValueError(f"Expected an IDX file of bytes. Received: {path}, which is none.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


class Folder(ImageSource):
    """Every image below a directory; files that cannot serve are named and skipped."""

    def __init__(self, directory, channels, minimum_side):
        directory = Path(directory).expanduser()
        paths, skipped = usable_images(list_images(directory), minimum_side)
        reasons = list(skipped.values())
        if not paths:
            raise ValueError(
                f"Expected images of at least {minimum_side} pixels a side below {directory}. "
                f"Received: {len(skipped)} files, none usable; the first: {reasons[0]}"
            )
        others = sum(path.is_file() for path in directory.rglob("*")) - len(paths) - len(skipped)
        if others:
            logging.warning("%s: %d files without an image's suffix ignored.", directory, others)
        for reason in reasons[:NAMED_SKIPS]:
            logging.warning("Skipped: %s", reason)
        if skipped:
            logging.warning("%s: %d images used, %d skipped.", directory, len(paths), len(skipped))
        super().__init__(f"folder:{directory}", [str(p.relative_to(directory)) for p in paths])
        self._paths = paths
        self._channels = channels

    def load(self, index):
        return read_image(self._paths[index], self._channels)


class Joined(ImageSource):
    """Several sources as one, the first one first; names begin with the number of their source."""

    def __init__(self, spec, sources):
        names = [f"{n}/{name}" for n, source in enumerate(sources) for name in source.names]
        super().__init__(spec, names)
        self._places = [(source, i) for source in sources for i in range(len(source))]

    def load(self, index):
        source, place = self._places[index]
        return source.load(place)


class Pairs(ImageSource):
    """Sharp images and the user's own measurements of them, matched by relative name."""

    paired = True

    def __init__(self, sharp_directory, degraded_directory, channels, minimum_side):
        sharp = _by_stem(sharp_directory)
        degraded = _by_stem(degraded_directory)
        alone = sorted(sharp.keys() ^ degraded.keys())
        if alone:
            raise ValueError(
                f"Expected a partner of the same name in {sharp_directory} and "
                f"{degraded_directory}. Received: {len(alone)} without one, the first: {alone[0]}."
            )
        names = sorted(sharp)
        super().__init__(f"pairs:{sharp_directory},{degraded_directory}", names)
        self._paths = [(sharp[name], degraded[name]) for name in names]
        self._channels = channels
        sizes, faults = inspect_images([path for pair in self._paths for path in pair])
        if faults:
            raise ValueError(f"Expected readable pairs. Received: {[*faults.values()][0]}")
        for name, pair in zip(names, self._paths, strict=True):
            one, other = (sizes[path] for path in pair)
            if one != other or min(one) < minimum_side:
                raise ValueError(
                    f"Expected both images of the pair {name} to have one size of at least "
                    f"{minimum_side} pixels a side. Received: {one} and {other}."
                )

    def load(self, index):
        sharp, degraded = self._paths[index]
        return read_image(sharp, self._channels), read_image(degraded, self._channels)


class Selection(ImageSource):
    """Some images of another source, in an order of one's own."""

    def __init__(self, source, indices):
        super().__init__(source.spec, [source.names[i] for i in indices])
        self.paired = source.paired
        labels = source.labels
        self.labels = None if labels is None else labels[indices]
        self._source = source
        self._indices = indices

    def load(self, index):
        return self._source.load(self._indices[index])


class Tfds(ImageSource):
    """One split of a data set of tensorflow-datasets, by random access."""

    def __init__(self, name, split, channels, minimum_side):
        import tensorflow_datasets as tfds  # takes seconds, so only where it is used

        try:
            builder = tfds.builder(name, file_format="array_record")
            if not builder.is_prepared():
                logging.info("Preparing %s; without a network, use folder:DIR instead.", name)
            builder.download_and_prepare()
            split = split or held_out_split(builder)
            self._examples = builder.as_data_source(split)
        except Exception as error:  # TFDS raises many kinds, from HTTP to assertion errors
            raise ValueError(
                f"Cannot open {name!r} (split {split!r}) of tensorflow-datasets: {error}\n"
                "The way out: download the images by hand and name their directory as "
                "folder:DIR, or place the archive TFDS asks for in its manual directory."
            ) from error
        if "image" not in self._examples[0]:
            raise ValueError(
                f'Expected a data set with an "image" feature. Received: {name!r} with '
                f"{sorted(self._examples[0])}."
            )
        height, width = builder.info.features["image"].shape[:2]
        if None not in (height, width) and min(height, width) < minimum_side:
            raise ValueError(
                f"Expected images of at least {minimum_side} pixels a side. Received: {name!r}, "
                f"whose images are {height}x{width}."
            )
        super().__init__(
            f"tfds:{name}@{split}", [f"{split}-{i}" for i in range(len(self._examples))]
        )
        self._channels = channels
        self._minimum_side = minimum_side

    @property
    def labels(self):
        if "label" not in self._examples[0]:
            return None
        return np.array([example["label"] for example in self._examples])

    def load(self, index):
        image = from_uint8(self._examples[int(index)]["image"])
        if min(image.shape[:2]) < self._minimum_side:
            raise ImageReadError(
                f"Expected images of at least {self._minimum_side} pixels a side. "
                f"Received: {self.spec} image {index} of {image.shape[:2]}."
            )
        if image.shape[-1] == self._channels:
            return image
        return to_luma(image) if self._channels == 1 else image.repeat(3, -1)


def _by_stem(directory):
    directory = Path(directory).expanduser()
    found = {}
    for path in list_images(directory):
        stem = str(path.relative_to(directory).with_suffix(""))
        if stem in found:
            raise ValueError(
                f"Expected one image for each name. Received: {found[stem]} and {path}."
            )
        found[stem] = path
    return found


def held_out_split(builder):
    """The split of a TFDS builder to evaluate on where the user names none."""
    for split in ("validation", "test"):
        if split in builder.info.splits:
            return split
    raise ValueError(
        f"Expected a held-out split. Received: {builder.name}, which has none: name parts, as in "
        f"tfds:{builder.name}@train[:90%] for training and tfds:{builder.name}@train[90%:]."
    )


def open_source(spec, role, channels=3, minimum_side=1):
    """Opens a source of images.

    Args:
        spec: `photos`, `digits` or `idx:DIR` (each with `@training` or `@held_out`, where that is
            not `role`), `folder:DIR` or several as `folder:DIR,DIR`,
            `pairs:SHARP_DIR,DEGRADED_DIR`, or `tfds:NAME[@SPLIT]`.
        role: `TRAINING` or `HELD_OUT`: the part to take where the spec names none.
        channels: 1 or 3, of every image.
        minimum_side: least height and width in pixels; smaller images are skipped or refused.

    Raises:
        ValueError: a spec of another form, or a source that holds nothing usable.
    """
    if channels not in PILLOW_MODES:
        raise ValueError(f"Expected channels 1 or 3. Received: {channels}")
    kind, _, place = spec.partition(":")
    named = re.fullmatch(rf"(.+)@({TRAINING}|{HELD_OUT})", spec)
    plain, split = named.groups() if named else (spec, role)
    if plain == "photos":
        return Photos(split, channels, minimum_side)
    if plain == "digits":
        return Digits(split, channels, minimum_side)
    if kind == "idx" and place:
        return Idx(plain.removeprefix("idx:"), split, channels, minimum_side)
    if kind == "folder" and place:
        folders = [Folder(part, channels, minimum_side) for part in place.split(",")]
        return folders[0] if len(folders) == 1 else Joined(spec, folders)
    if kind == "pairs" and place.count(",") == 1:
        return Pairs(*place.split(","), channels, minimum_side)
    if kind == "tfds" and place:
        name, _, split = place.partition("@")
        default = "train" if role == TRAINING else None
        return Tfds(name, split or default, channels, minimum_side)
    raise ValueError(
        "Expected photos, digits, idx:DIR, folder:DIR, pairs:SHARP_DIR,DEGRADED_DIR or "
        f"tfds:NAME[@SPLIT]. Received: {spec!r}"
    )
