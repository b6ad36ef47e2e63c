"""The paper's tables, and those it describes in words: what is trained, and measured on what.

Every table is a function from (conditions, names of data sets) to a list of `Column`, one for
each set of images; all methods of a column see the same measurements of the same images.
"""

import dataclasses

from absl import logging

from inversenet_tf.data_sets import DATA_SETS
from inversenet_tf.evaluation import degradation_of, describe, draw, score
from inversenet_tf.figures import annealing_figure
from inversenet_tf.history import steadiness
from inversenet_tf.imaging.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.operators import build_operator
from inversenet_tf.reproduction import Run
from inversenet_tf.restoration import Restorer
from inversenet_tf.rivals import rival
from inversenet_tf.training import ANNEALING, load_trained, open_held_out

NATURAL = "natural"  # what Table 2 and super-resolution train on, as the paper does on VOC
LARGE_SIDES = (256, 512)  # of Figs. 8 and 9
SEEDS = (0, 1, 2)


@dataclasses.dataclass
class Column:
    """What methods reached on one set of images.

    Attributes:
        title: names the images and what was special.
        scores: {method: {psnr, ssim, per_image}}, as `evaluation.score` has it.
        made: everything else a reader must know: data, degradation, metrics, trainings.
    """

    title: str
    scores: dict
    made: dict


def table_1(conditions, names):
    """Table 1 and Fig. 3: motion deblurring; with the annealing of the first set, Figs. 1 and 4."""
    columns = []
    for name in names:
        methods = ("neural_deblur", "pix2pix", "inversenet")
        runs = {method: Run("deblur", name, method, conditions) for method in methods}
        rivals = ("degraded", "wiener", "wiener_misjudged", "tv_l1")
        columns.append(_measured(f"table_1-{name}", name, runs, rivals, conditions))
    first = Run("deblur", names[0], "inversenet", conditions)
    annealing_figure(first.workdir / ANNEALING, conditions.output / f"annealing-{first.name}.png")
    return columns


def table_2(conditions, names):
    """Table 2 and Fig. 5: trained on natural images, measured on the other sets; Figs. 8 and 9."""
    columns = []
    for name in names:
        runs = {
            "own": Run("deblur", name, "inversenet", conditions),
            "inversenet": Run("deblur", NATURAL, "inversenet", conditions),
        }
        columns.append(_measured(f"table_2-{name}", name, runs, ("degraded",), conditions))
    return columns + _large_images(conditions)


def _large_images(conditions):
    """Figs. 8 and 9: trained on patches of 128 pixels, measured on larger ones."""
    run = Run("deblur", NATURAL, "inversenet", conditions, size=128)
    spec = "photos" if conditions.root is None else DATA_SETS["set5"].sources(conditions.root)[1]
    columns = []
    for side in LARGE_SIDES:
        config = run.config()
        config.data.size, config.data.crop_share = side, 0.0
        try:
            source = open_source(spec, HELD_OUT, config.data.channels, side)
        except ValueError as error:
            logging.warning("No column at %d pixels: %s", side, error)
            continue
        title = f"{spec.rpartition('/')[2]} at {side}x{side}, trained at 128x128"
        rivals = ("degraded", "wiener")
        columns.append(
            _scored(f"large-{side}", title, source, config, {"inversenet": run}, rivals, conditions)
        )
    return columns


def table_sr(conditions, names):
    """Section 4.2 and Figs. 6 and 10: x4 with either kernel, trained on natural images."""
    columns = []
    for task in ("sr7", "sr3"):
        runs = {m: Run(task, NATURAL, m, conditions) for m in ("srgan", "inversenet")}
        for name in names:
            key = f"table_sr-{task}-{name}"
            columns.append(_measured(key, name, runs, ("bicubic",), conditions, crop="whole"))
    return columns


def table_joint(conditions, names):
    """Section 4.3 and Fig. 7: x2 and colours from one band."""
    return [
        _measured(
            f"table_joint-{name}",
            name,
            {"inversenet": Run("joint", name, "inversenet", conditions)},
            ("bicubic",),
            conditions,
        )
        for name in names
    ]


def table_denoiser(conditions, names):
    """The claim of Sections 3.4 and 4.1: training is steadier, and ends better, with the DAE."""
    columns = []
    for name in names:
        runs = {
            f"{method}, seed {seed}": Run("deblur", name, method, conditions, seed=seed)
            for method in ("pix2pix", "inversenet")
            for seed in SEEDS
        }
        column = _measured(f"table_denoiser-{name}", name, runs, ("degraded",), conditions)
        column.made["steadiness"] = {m: steadiness(run.workdir) for m, run in runs.items()}
        columns.append(column)
    return columns


def table_networks(conditions, names):
    """The claim of Section 1: any network may take either part."""
    methods = {
        "unet": "pix2pix",
        "unet + dae": "inversenet",
        "unet + dncnn": "inversenet_dncnn",
        "neural_deblur + dae": "inversenet_neural",
    }
    return [
        _measured(
            f"table_networks-{name}",
            name,
            {title: Run("deblur", name, method, conditions) for title, method in methods.items()},
            ("degraded",),
            conditions,
        )
        for name in names
    ]


TABLES = {
    "1": table_1,
    "2": table_2,
    "sr": table_sr,
    "joint": table_joint,
    "denoiser": table_denoiser,
    "networks": table_networks,
}


def _measured(key, name, runs, rivals, conditions, crop="center"):
    """A column on the held-out part of a data set."""
    config = next(iter(runs.values())).config()
    config.data.evaluation_crop = crop
    DATA_SETS[name].apply(config, conditions.root)
    source = open_held_out(config.data.validation, build_operator(config.operator), config)
    return _scored(key, name, source, config, runs, rivals, conditions)


def _scored(key, title, source, config, runs, rivals, conditions):
    """Trains what is missing, runs every method on the same images, draws the first of them."""
    for run in runs.values():
        run.train()
    operator = build_operator(config.operator)
    methods = [rival(name, operator, config) for name in rivals]
    methods += [_as_method(name, run) for name, run in runs.items()]
    scores, examples = score(methods, source, operator, config, conditions.limit)
    trainings = {name: run.report() for name, run in runs.items()}
    made = describe(source, config, conditions.limit) | {
        "degradation": degradation_of(config),
        "trainings": trainings,
    }
    footer = f"{source.spec}; {made['degradation']}; {conditions.minutes:g} min each; dB, SSIM"
    draw(conditions.output / f"{key}.png", examples, scores, footer)
    return Column(title, scores, made)


def _as_method(name, run):
    """A trained run as a function from measurements to {method name: images}.

    The paper's own method shows both outputs; any other one is known by its last.
    """
    model, _, _ = load_trained(run.workdir, "last")
    restorer = Restorer(model)
    if name == "inversenet":
        return restorer
    return lambda measurements: {name: restorer(measurements)["restored"]}
