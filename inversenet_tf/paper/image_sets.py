"""The image sets of the paper's experiments, from TFDS or from folders, and their crops."""

import dataclasses
from pathlib import Path

from inversenet_tf.imaging.checks import check_choice


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """The source of a set of images, and the part of each image that is used.

    Attributes:
        train, held_out, test: specs of tensorflow-datasets; empty where it has none.
        train_folders, held_out_folders: below the root of the user's folders.
        test_folders: likewise, of images by which nothing is chosen; they may be missing.
        crop_fraction: side of the central square that is scaled down to the training size, as a
            fraction of the image's short side; 0 for random patches at several scales.
    """

    train: str = ""
    held_out: str = ""
    test: str = ""
    train_folders: tuple[str, ...] = ()
    held_out_folders: tuple[str, ...] = ()
    test_folders: tuple[str, ...] = ()
    crop_fraction: float = 1.0

    def train_source(self, root=None):
        """The spec of the training images for `open_source`: folders below `root`, or TFDS.

        Raises:
            ValueError: this set is only for measuring, TFDS lacks it, or a folder is missing.
        """
        if not self.train_folders:
            raise ValueError(
                f"Expected a set to train on. Received: {', '.join(self.held_out_folders)}, which "
                "is for measuring only"
            )
        return _source(self.train, self.train_folders, root)

    def held_out_source(self, root=None):
        """The spec of the held-out images, likewise."""
        return _source(self.held_out, self.held_out_folders, root)

    def test_source(self, root=None):
        """The spec of images for neither training nor choosing; "" if there are none."""
        if root is None:
            return self.test
        root = Path(root).expanduser()
        is_there = self.test_folders and all((root / name).is_dir() for name in self.test_folders)
        return _folders(root, self.test_folders) if is_there else ""

    def apply(self, config, root=None):
        """Makes `config` train and validate on this set, and report on its test images."""
        config.data.train = self.train_source(root)
        self.apply_held_out(config, root)
        if not self.crop_fraction:
            config.data.crop = "random"
            config.data.min_scale = 0.3
            config.data.augmentation = "flip"

    def apply_held_out(self, config, root=None):
        """Makes `config` measure this set, on its test images if it has them."""
        config.data.validation = self.held_out_source(root)
        config.data.test = self.test_source(root)
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


def _parts(name):
    return {
        "train_folders": (f"{name}/train",),
        "held_out_folders": (f"{name}/val",),
        "test_folders": (f"{name}/test",),
    }


IMAGE_SETS = {
    "cub": ImageSet(  # has only training and test images
        "tfds:caltech_birds2011@train[:90%]",
        "tfds:caltech_birds2011@train[90%:]",
        "tfds:caltech_birds2011@test",
        **_parts("cub"),
    ),
    # The face itself: 128 of the 178 pixels in the width of an aligned image.
    "celeba": ImageSet(
        "tfds:celeb_a@train",
        "tfds:celeb_a@validation",
        "tfds:celeb_a@test",
        **_parts("celeba"),
        crop_fraction=0.72,
    ),
    "voc": ImageSet(
        "tfds:voc/2012@train", "tfds:voc/2012@validation", "tfds:voc/2012@test", **_parts("voc")
    ),
    "imagenet": ImageSet(
        "tfds:imagenet2012@train", "tfds:imagenet2012@validation", **_parts("imagenet")
    ),
    "tiny_imagenet": ImageSet(**_parts("tiny_imagenet")),
    # Natural images that stand in for VOC, in random patches because they are few.
    "natural": ImageSet(
        train_folders=("bsds500/train", "imagenet/train"),
        held_out_folders=("imagenet/val",),
        test_folders=("imagenet/test",),
        crop_fraction=0.0,
    ),
    "bsds500": ImageSet(**_parts("bsds500")),
    "set5": ImageSet(held_out_folders=("set5",)),
}


def image_set(name):
    """Returns one of `IMAGE_SETS`.

    Raises:
        ValueError: there is no such set.
    """
    check_choice("the data set", name, IMAGE_SETS)
    return IMAGE_SETS[name]
