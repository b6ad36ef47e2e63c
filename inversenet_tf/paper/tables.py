"""The paper's tables, and experiments that it only describes: which trainings, on which images.

Every table is a function from (conditions, names of data sets) to a list of `Column`, one for
each set of images. Nothing is trained or read here; `measure.py` does that.
"""

import dataclasses

from inversenet_tf.paper.image_sets import image_set
from inversenet_tf.paper.trainings import Training

NATURAL = "natural"  # what Table 2 and super-resolution train on, as the paper does on VOC
LARGE_IMAGES = "set5"
LARGE_SIDES = (256, 512)  # of Figs. 8 and 9
SR_TASKS = ("sr7", "sr3")  # the kernel that causes ringing, and the mild one
SR_SIDE = 256  # of Figs. 6 and 10, from 64
JOINT_SIDES = {"cub": (0, 128)}  # training sizes: 0 for that of the task, and the paper's
SEEDS = (0, 1, 2)
OURS = ("inversenet", "inversenet_solver")  # the paper's networks; a network given the operator
UPSAMPLINGS = ("bicubic", "lmmse")


@dataclasses.dataclass
class Column:
    """Methods to be measured on the same measurements of one set of images.

    Attributes:
        name: for the column's files.
        data: name in `IMAGE_SETS`; its test images are measured, or else its held-out ones.
        trainings: {method: `Training`}; the method "inversenet" has two rows for its outputs,
            "inverted" and "restored".
        baselines: names in `baselines.BASELINES` of methods that need no training.
        side: of the central square that is measured at full resolution; 0: the square that the
            task trains on; None: whole images.
        note: what is special about it, for the title.
    """

    name: str
    data: str
    trainings: dict
    baselines: tuple
    side: int | None = 0
    note: str = ""


def table_1(conditions, names):
    """Table 1 and Fig. 3: motion deblurring."""
    methods = ("neural_deblur", "pix2pix", *OURS)
    baselines = ("degraded", "wiener", "wiener_mismatched", "lmmse", "tv_l1")
    return [
        Column(name, name, {m: Training("deblur", name, m, conditions) for m in methods}, baselines)
        for name in names
    ]


def table_2(conditions, names):
    """Table 2, Figs. 5, 8 and 9: trained on natural images, measured on other sets.

    Raises:
        ValueError: the training images come from one of these sets.
    """
    known = image_set(NATURAL).train_folders
    columns = []
    for name in names:
        if name == NATURAL or set(image_set(name).train_folders) & set(known):
            raise ValueError(
                f"Expected --data that {NATURAL!r} ({', '.join(known)}) was not trained on. "
                f"Received: {name!r}"
            )
        trainings = {
            "own": Training("deblur", name, "inversenet", conditions),
            **{method: Training("deblur", NATURAL, method, conditions) for method in OURS},
        }
        baselines, note = ("degraded", "lmmse"), f"trained on {NATURAL}"
        columns.append(Column(name, name, trainings, baselines, note=note))
    large = {m: Training("deblur", NATURAL, m, conditions, size=128) for m in OURS}
    for side in LARGE_SIDES:
        name, baselines = f"{LARGE_IMAGES}-{side}", ("degraded", "wiener", "lmmse")
        note = f"{side}x{side}, trained at 128x128"
        columns.append(Column(name, LARGE_IMAGES, large, baselines, side, note))
    return columns


def table_sr(conditions, names):
    """Section 4.2 and Figs. 6 and 10: x4 with each kernel, trained on natural images."""
    columns = []
    for task in SR_TASKS:
        trainings = {m: Training(task, NATURAL, m, conditions) for m in ("srgan", *OURS)}
        for name in names:
            columns.append(Column(f"{task}-{name}", name, trainings, UPSAMPLINGS, side=None))
        for name in names:
            label, note = f"{task}-{name}-{SR_SIDE}", f"{SR_SIDE}x{SR_SIDE}"
            columns.append(Column(label, name, trainings, UPSAMPLINGS, SR_SIDE, note))
    return columns


def table_joint(conditions, names):
    """Section 4.3 and Fig. 7: x2 super-resolution and colourisation together."""
    columns = []
    for name in names:
        for side in JOINT_SIDES.get(name, (0,)):
            trainings = {m: Training("joint", name, m, conditions, size=side) for m in OURS}
            label, note = (f"{name}-{side}", f"{side}x{side}") if side else (name, "")
            columns.append(Column(label, name, trainings, UPSAMPLINGS, note=note))
    return columns


def table_denoiser(conditions, names):
    """The claim of Sections 3.4 and 4.1: training is steadier, and ends better, with the DAE."""
    columns = []
    for name in names:
        trainings = {
            f"{method}, seed {seed}": Training("deblur", name, method, conditions, seed=seed)
            for method in ("pix2pix", "inversenet")
            for seed in SEEDS
        }
        columns.append(Column(name, name, trainings, ("degraded",)))
    return columns


def table_networks(conditions, names):
    """The claim of Section 1: any network may take either part."""
    methods = {
        "unet": "pix2pix",
        "unet + dae": "inversenet",
        "unet + dncnn": "inversenet_dncnn",
        "neural_deblur + dae": "inversenet_neural",
    }
    columns = []
    for name in names:
        trainings = {t: Training("deblur", name, m, conditions) for t, m in methods.items()}
        columns.append(Column(name, name, trainings, ("degraded",)))
    return columns


TABLES = {
    "1": table_1,
    "2": table_2,
    "sr": table_sr,
    "joint": table_joint,
    "denoiser": table_denoiser,
    "networks": table_networks,
}
