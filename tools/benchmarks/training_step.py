"""One turn of Algorithm 1 on a batch in memory: our training step against PyTorch's."""

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.training_step"
RECIPES = ("the paper's", "for two cores")
COMPARATORS = {"alexnet": 0, "squeezenet": 64}  # {name: image size}; 0: the network's own
BASELINES = {"PyTorch, bfloat16": {"autocast": True}, "PyTorch, float32": {}}
# Slower here, after minutes of compiling: shown once, for the paper's step.
COMPILED = {"PyTorch, bfloat16, compiled": {"autocast": True, "compiled": True}}
COUNTED = "PyTorch, float32"
TINY = {"size": 32, "batch": 2, "width": 4, "comparators": ["squeezenet"]}


def config_of(recipe, size=64, batch=0, width=0):
    """A `Config` of a motion blur.

    Args:
        recipe: one of `RECIPES`.
        size: of the images, in pixels.
        batch, width: of the training and of the discriminator; 0 for the recipe's.
    """
    from inversenet_tf import recipes

    config = recipes.motion_deblur()
    if recipe == "for two cores":
        recipes.for_two_cores(config)
        # The step of Algorithm 1, as the baseline has it.
        config.loss.pretraining_fraction = config.training.average = 0.0
    config.data.size = size
    config.training.batch_size = batch or config.training.batch_size
    config.network.discriminator_width = width or config.network.discriminator_width
    return config


def comparisons(settings):
    """The paper's step without and with comparators, and that of the recipe for two cores.

    Args:
        settings: dict that may hold `size`, `batch` and `width`, see `config_of`, and
            `comparators`, those of `COMPARATORS` to measure.
    """
    smaller = {name: settings[name] for name in ("size", "batch", "width") if name in settings}
    comparisons = [_comparison(recipe, "none", smaller) for recipe in RECIPES]
    for comparator in settings.get("comparators", COMPARATORS):
        comparisons.append(_comparison("the paper's", comparator, smaller))
    return comparisons


def _comparison(recipe, comparator, smaller):
    from pytorch_baselines.inversenet import settings_of

    config = config_of(recipe, **smaller)
    size, batch = config.data.size, config.training.batch_size
    ours = {"recipe": recipe, "comparator": comparator, "smaller": smaller}
    baselines = {
        "settings": settings_of(config),
        "comparator": comparator,
        "shape": [batch, size, size, config.data.channels],
    }
    shows_compiled = (recipe, comparator) == (RECIPES[0], "none")
    cases = [
        Case(f"ours, {label}", f"{HERE}:ours", ours | {"precision": precision})
        for label, precision in (("bfloat16", "mixed_bfloat16"), ("float32", "float32"))
    ] + [
        Case(name, f"{HERE}:baseline", baselines | options, baseline=True)
        for name, options in (BASELINES | (COMPILED if shows_compiled else {})).items()
    ]
    used = "" if comparator == "none" else f", {comparator}"
    told = {"size": size, "batch": batch, "width": config.network.discriminator_width}
    return Comparison(f"{recipe} step{used}", cases, "bfloat16", COUNTED, told)


def _batch(shape):
    """(measurements, images) float32 in [0, 1]."""
    import numpy as np

    generator = np.random.default_rng(0)
    return tuple(generator.uniform(size=shape).astype(np.float32) for _ in range(2))


def ours(recipe, comparator, smaller, precision):
    """The step that `inversenet_tf.training.train` runs on one device."""
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from inversenet_tf.engine.training_loop import TrainStep
    from inversenet_tf.models.build import build_model
    from inversenet_tf.models.compiling import compile_model

    config = config_of(recipe, **smaller)
    config.training.precision = precision
    model = build_model(config)
    compile_model(model, config, _our_comparator(comparator, precision))
    size = config.data.size
    batch = _batch((config.training.batch_size, size, size, config.data.channels))
    strategy = tf.distribute.get_strategy()
    step = TrainStep(model, strategy)
    data = iter(
        strategy.distribute_datasets_from_function(
            lambda context: tf.data.Dataset.from_tensors(batch).repeat()
        )
    )
    return lambda: losses_of(step(data)[0])


def _our_comparator(name, precision):
    """A comparator with random weights, which cost what trained ones do."""
    from inversenet_tf.models.perceptual.comparator import COMPARATORS as KNOWN
    from inversenet_tf.models.perceptual.comparator import Comparator

    if name == "none":
        return None
    pretrained = KNOWN[name]
    size = COMPARATORS[name] or pretrained.size
    return Comparator(pretrained.network(size=size, dtype=precision), pretrained.preprocess)


def baseline(settings, comparator, shape, autocast=False, compiled=False):
    """The step of `pytorch_baselines.inversenet`."""
    import torch
    from pytorch_baselines import comparators
    from pytorch_baselines.inversenet import Settings, TrainingStep, build_networks

    torch.manual_seed(0)
    if comparator != "none":
        network, size = comparators.COMPARATORS[comparator], COMPARATORS[comparator]
        dtype = torch.bfloat16 if autocast else torch.float32
        compared = comparators.Comparator(network(size) if size else network(), dtype)
    else:
        compared = None
    settings = Settings(**settings)
    step = TrainingStep(build_networks(settings), settings, compared, autocast, compiled)
    batch = [torch.from_numpy(images).permute(0, 3, 1, 2) for images in _batch(shape)]
    return lambda: losses_of(step(*batch))


def losses_of(logs):
    """What a turn reports: the losses as numbers."""
    return {name: float(value) for name, value in logs.items() if name.endswith("_loss")}
