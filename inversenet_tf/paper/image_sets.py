"""The image sets of the paper's experiments, through TFDS or as folders, with its crops."""

import dataclasses
from pathlib import Path

from inversenet_tf.imaging.checks import check_choice


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """Where a set of images comes from, and which part of each image is used.

    Attributes:
        train, held_out: specs of tensorflow-datasets; empty where it has none.
        train_folders, held_out_folders: below the root of the user's folders.
        crop_fraction: side of the central square, scaled down to the training size, as a fraction
            of the image's short side; 0 for random patches at several scales.
    """

    train: str = ""
    held_out: str = ""
    train_folders: tuple[str, ...] = ()
    held_out_folders: tuple[str, ...] = ()
    crop_fraction: float = 1.0

    def train_source(self, root=None):
        """The training images' spec for `open_source`: folders below `root`, or TFDS.

        Raises:
            ValueError: this set is for measuring only, TFDS lacks it, or a folder is missing.
        """
        if not self.train_folders:
            raise ValueError(
                f"Expected a set to train on. Received: {', '.join(self.held_out_folders)}, which "
                "is for measuring only"
            )
        return _source(self.train, self.train_folders, root)

    def held_out_source(self, root=None):
        """The same of the images that nothing trains on."""
        return _source(self.held_out, self.held_out_folders, root)

    def apply(self, config, root=None):
        """Makes `config` train and validate on this set."""
        config.data.train = self.train_source(root)
        self.apply_held_out(config, root)
        if not self.crop_fraction:
            config.data.crop = "random"
            config.data.min_scale = 0.3
            config.data.augmentation = "flip"

    def apply_held_out(self, config, root=None):
        """Makes `config` measure this set."""
        config.data.validation = self.held_out_source(root)
        config.data.crop_fraction = self.crop_fraction or 1.0


def _source(spec, folders, root):
    if root is not None:
        return _folders(Path(root).expanduser(), folders)
    if not spec:
        raise ValueError(
            f"Expected a directory with the folders {', '.join(folders)}, as tensorflow-datasets "
            "does not have this set. Received: none"
        )
    return spec


def _folders(root, names):
    missing = [name for name in names if not (root / name).is_dir()]
    if missing:
        raise ValueError(
            f"Expected the folders {', '.join(names)} in {root}. Received no {missing[0]}"
        )
    return "folder:" + ",".join(str(root / name) for name in names)


def _halves(name):
    return {"train_folders": (f"{name}/train",), "held_out_folders": (f"{name}/val",)}


IMAGE_SETS = {
    "cub": ImageSet(
        "tfds:caltech_birds2011@train", "tfds:caltech_birds2011@test", **_halves("cub")
    ),
    # The face: 128 of the 178 pixels of an aligned face's width.
    "celeba": ImageSet(
        "tfds:celeb_a@train", "tfds:celeb_a@validation", **_halves("celeba"), crop_fraction=0.72
    ),
    "voc": ImageSet("tfds:voc/2012@train", "tfds:voc/2012@validation", **_halves("voc")),
    "imagenet": ImageSet(
        "tfds:imagenet2012@train", "tfds:imagenet2012@validation", **_halves("imagenet")
    ),
    "tiny_imagenet": ImageSet(**_halves("tiny_imagenet")),
    # Natural images that stand in for VOC, in random patches because they are few.
    "natural": ImageSet(
        train_folders=("bsds500/train", "imagenet/train"),
        held_out_folders=("imagenet/val",),
        crop_fraction=0.0,
    ),
    "bsds500": ImageSet(**_halves("bsds500")),
    "set5": ImageSet(held_out_folders=("set5",)),
}


def image_set(name):
    """One of `IMAGE_SETS`.

    Raises:
        ValueError: there is none of that name.
    """
    check_choice("the data set", name, IMAGE_SETS)
    return IMAGE_SETS[name]
