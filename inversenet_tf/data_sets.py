"""The image sets of the paper's experiments, through TFDS or as folders, with its crops."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Where a set of images comes from, and which part of each image is used.

    Attributes:
        train, held_out: specs of tensorflow-datasets; empty where it has none.
        train_folders, held_out_folders: below the root of the user's folders.
        crop_share: side of the central square, scaled down to the training size, as a share of the
            image's short side; 0 for random patches at several scales.
    """

    train: str = ""
    held_out: str = ""
    train_folders: tuple[str, ...] = ()
    held_out_folders: tuple[str, ...] = ()
    crop_share: float = 1.0

    def sources(self, root=None):
        """(training spec, held-out spec) for `open_source`: folders below `root`, or TFDS.

        Raises:
            ValueError: TFDS has no such set, or a folder is missing.
        """
        if root is None:
            if not self.train:
                raise ValueError(
                    f"Expected --root with the folders {self.train_folders + self.held_out_folders}"
                    ", as tensorflow-datasets does not have this set. Received: none."
                )
            return self.train, self.held_out
        return tuple(
            _folders(Path(root).expanduser(), names)
            for names in (self.train_folders, self.held_out_folders)
        )

    def apply(self, config, root=None):
        """Makes `config` train and validate on this set."""
        config.data.train, config.data.validation = self.sources(root)
        if self.crop_share:
            config.data.crop_share = self.crop_share
        else:
            config.data.crop = "random"
            config.data.min_scale = 0.3
            config.data.augmentation = "flip"
            config.data.crop_share = 1.0


def _folders(root, names):
    missing = [name for name in names if not (root / name).is_dir()]
    if missing:
        raise ValueError(f"Expected the folders {names} in {root}. Received no {missing[0]}.")
    return "folder:" + ",".join(str(root / name) for name in names)


def _halves(name):
    return {"train_folders": (f"{name}/train",), "held_out_folders": (f"{name}/val",)}


DATA_SETS = {
    "cub": DataSet("tfds:caltech_birds2011@train", "tfds:caltech_birds2011@test", **_halves("cub")),
    # The face: 128 of the 178 pixels of an aligned face's width.
    "celeba": DataSet(
        "tfds:celeb_a@train", "tfds:celeb_a@validation", **_halves("celeba"), crop_share=0.72
    ),
    "voc": DataSet("tfds:voc/2012@train", "tfds:voc/2012@validation", **_halves("voc")),
    "imagenet": DataSet(
        "tfds:imagenet2012@train", "tfds:imagenet2012@validation", **_halves("imagenet")
    ),
    "tiny_imagenet": DataSet(**_halves("tiny_imagenet")),
    # Natural images that stand in for VOC, in random patches because they are few.
    "natural": DataSet(
        train_folders=("bsds500/train", "imagenet/train"),
        held_out_folders=("imagenet/val",),
        crop_share=0.0,
    ),
    "bsds500": DataSet(**_halves("bsds500")),
    "set5": DataSet(train_folders=("set5",), held_out_folders=("set5",)),
}
