"""Opens image sources: `open_source("photos" | "digits" | "folder:DIR" | "tfds:NAME" | ...)`."""

import re
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.data.pair_layouts import check_pairs, matched, matched_by_scene
from inversenet_tf.imaging.data.sources import (
    HELD_OUT,
    TRAINING,
    Digits,
    Idx,
    ImageSource,
    Joined,
    Photos,
)
from inversenet_tf.imaging.files.images import PILLOW_MODES, ImageReadError, read_image
from inversenet_tf.imaging.files.listing import (
    inspect_images,
    list_images,
    report_other_files,
    report_skipped,
    usable_images,
)
from inversenet_tf.imaging.files.paths import folders_in
from inversenet_tf.imaging.files.pixels import from_integers, to_luma


class Folder(ImageSource):
    """Every image below a directory; unusable files are named and skipped."""

    def __init__(self, directory, channels, minimum_side):
        directory = Path(directory).expanduser()
        paths, skipped = usable_images(list_images(directory), minimum_side)
        report_skipped(directory, len(paths), skipped, minimum_side)
        report_other_files(directory)
        super().__init__(f"folder:{directory}", [str(p.relative_to(directory)) for p in paths])
        self._paths = paths
        self._channels = channels

    @property
    def files(self):
        return self._paths

    def load(self, index):
        return self.load_part(index, None)

    def load_part(self, index, window):
        return read_image(self._paths[index], self._channels, window=window)


class Pairs(ImageSource):
    """Sharp images and the user's own measurements of them."""

    paired = True

    def __init__(self, spec, pairs, channels, minimum_side):
        """Args: `pairs`, {name: (sharp path, degraded path)} as `pair_layouts` returns them."""
        names = list(pairs)
        super().__init__(spec, names)
        self._paths = list(pairs.values())
        self._channels = channels
        sizes, faults = inspect_images([path for pair in self._paths for path in pair])
        if faults:
            raise ValueError(f"Expected readable pairs. Received: {[*faults.values()][0]}")
        for name, pair in zip(names, self._paths, strict=True):
            one, other = (sizes[path] for path in pair)
            if one != other or min(one) < minimum_side:
                raise ValueError(
                    f"Expected both images of the pair {name} to have the same size, of at least "
                    f"{minimum_side} pixels a side. Received: {one} and {other}."
                )
        check_pairs(pairs, spec)

    @property
    def files(self):
        return [sharp for sharp, _ in self._paths]

    @property
    def measured_files(self):
        return [degraded for _, degraded in self._paths]

    def load(self, index):
        return self.load_part(index, None)

    def load_part(self, index, window):
        sharp, degraded = self._paths[index]
        return (
            read_image(sharp, self._channels, window=window),
            read_image(degraded, self._channels, window=window),
        )


class Tfds(ImageSource):
    """One split of a tensorflow-datasets data set, with random access."""

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
                "Instead, download the images by hand and name their directory as "
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
        """The class of every image, int [len]; None where the data set has no labels."""
        if "label" not in self._examples[0]:
            return None
        return np.array([example["label"] for example in self._examples])

    def load(self, index):
        """Returns one image, float32 [height, width, channels] in [0, 1]."""
        image = from_integers(self._examples[int(index)]["image"])
        if min(image.shape[:2]) < self._minimum_side:
            raise ImageReadError(
                f"Expected images of at least {self._minimum_side} pixels a side. "
                f"Received: {self.spec} image {index} of {image.shape[:2]}."
            )
        image = image[..., :3]  # without alpha
        if image.shape[-1] == self._channels:
            return image
        return to_luma(image) if self._channels == 1 else image.repeat(3, -1)


def held_out_split(builder):
    """Returns the split of a TFDS builder to evaluate on where the user names none."""
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
        spec: `photos`, `digits` or `idx:DIR` (each optionally with `@training` or `@held_out`,
            which takes precedence over `role`), `folder:DIR` or several as `folder:DIR,DIR`,
            `prepared:DIR` as made by `tools/prepare.py`, `pairs:SHARP_DIR,DEGRADED_DIR`,
            `pairs:DIR` in GoPro's layout (DIR/SCENE/sharp and DIR/SCENE/blur), or
            `tfds:NAME[@SPLIT]`.
        role: `TRAINING` or `HELD_OUT`, the part to use where the spec names none.
        channels: 1 or 3, of every image.
        minimum_side: minimum height and width in pixels; smaller images are skipped or refused.

    Raises:
        ValueError: a spec of another form, or a source without usable images.
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
        folders = [Folder(part, channels, minimum_side) for part in folders_in(place)]
        return folders[0] if len(folders) == 1 else Joined(spec, folders)
    if kind == "prepared" and place:
        from inversenet_tf.imaging.data.prepared import (
            Prepared,  # array_record does not run everywhere
        )

        return Prepared(place, channels, minimum_side)
    if kind == "pairs" and place and len(folders_in(place)) <= 2:
        parts = folders_in(place)
        pairs = matched(*parts) if len(parts) == 2 else matched_by_scene(place)
        return Pairs(spec, pairs, channels, minimum_side)
    if kind == "tfds" and place:
        name, _, split = place.partition("@")
        default = "train" if role == TRAINING else None
        return Tfds(name, split or default, channels, minimum_side)
    raise ValueError(
        "Expected photos, digits, idx:DIR, folder:DIR, prepared:DIR, "
        f"pairs:SHARP_DIR,DEGRADED_DIR, pairs:DIR or tfds:NAME[@SPLIT]. Received: {spec!r}"
    )
