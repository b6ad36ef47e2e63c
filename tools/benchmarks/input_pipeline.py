"""From JPEG files to batches, against the training step that consumes them.

`settings`: number of `photographs` that the section writes, `batches` in a turn of a stream,
`steps` in a turn of training, `network` fields of the config's network, and `folders`, {recipe:
directory of images to read instead}.
"""

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.input_pipeline"
SETTINGS = {"photographs": 64, "batches": 20, "steps": 60, "network": {}, "folders": {}}
TINY = {"photographs": 3, "batches": 2, "steps": 2, "network": {"discriminator_width": 4}}
STEPS_OF_A_TURN = 4  # of the training step alone
QUALITY = 90
CROP_FRACTION = 0.72  # as `image_sets.py` has it for CelebA
PREFETCHED = 6  # batches, at most, that a stream has ready or in progress
# {recipe: (what is drawn, batch size, height and width of the photographs)}.
RECIPES = {
    "quickstart": ("random patches of photographs", 16, (321, 481)),
    "paper": ("central crops of faces' size", 36, (218, 178)),
}
BASELINE = {"quickstart": {"min_scale": 0.4}, "paper": {"crop_fraction": CROP_FRACTION}}


def comparisons(settings):
    """For each recipe, streams against the step, and the loop that waits for its stream."""
    settings = SETTINGS | settings
    root = Path(tempfile.mkdtemp(prefix="input_pipeline"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    comparisons = []
    for recipe, (_, _, shape) in RECIPES.items():
        folder = settings["folders"].get(recipe)
        if not folder:
            folder = write_photographs(root / recipe, settings["photographs"], shape)
        shared = {"recipe": recipe, "folder": str(folder), "network": settings["network"]}
        comparisons += [*_streams(settings, shared, str(root)), _waiting(settings, shared)]
    return comparisons


def _streams(settings, shared, scratch):
    """Time per image: of our stream, a baseline and the step, and of our other sources."""
    recipe, batches = shared["recipe"], settings["batches"]
    drawn, batch, _ = RECIPES[recipe]
    turn = {"folder": shared["folder"], "batches": batches}
    told = _settings(settings, recipe) | {"batches": batches}

    def ours(name, kind):
        options = turn | {"recipe": recipe, "scratch": scratch, "kind": kind}
        return Case(name, f"{HERE}:stream", options, work=batches * batch)

    baseline = turn | {"batch_size": batch} | BASELINE[recipe]
    step = shared | {"steps": STEPS_OF_A_TURN}
    consumed = [
        ours("JPEG folder", "folder"),
        Case(
            "PyTorch, DataLoader",
            f"{HERE}:baseline_stream",
            baseline,
            batches * batch,
            baseline=True,
        ),
        Case("training step", f"{HERE}:training", step, work=STEPS_OF_A_TURN * batch),
    ]
    if recipe == "quickstart":
        early = Case(
            "step of the pretraining",
            f"{HERE}:training",
            step | {"pretraining": True},
            work=STEPS_OF_A_TURN * batch,
        )
        consumed.append(early)
    sources = [
        ours("JPEG folder", "folder"),
        ours("prepared set", "prepared"),
        ours("JPEG folder, cached", "cached"),
    ]
    return [
        Comparison(f"input pipeline, {recipe}: an image, {drawn}", consumed, settings=told),
        Comparison(
            f"input pipeline, {recipe}: an image from other sources", sources, settings=told
        ),
    ]


def _settings(settings, recipe):
    """The settings that both kinds of comparison report."""
    photographs = settings["folders"].get(recipe) or settings["photographs"]
    return {"batch": RECIPES[recipe][1], "photographs": photographs}


def _waiting(settings, shared):
    """What a training loses to its stream, with which it shares cores and for which it may wait."""
    shared = shared | {"steps": settings["steps"]}

    def loop(name, prepare, **options):
        return Case(name, f"{HERE}:{prepare}", shared | options, work=settings["steps"])

    return Comparison(
        f"training, {shared['recipe']}: a step with its stream",
        [
            loop("from the JPEG folder", "training", streamed=True),
            loop("from memory", "training"),
            loop("from the JPEG folder, waiting timed", "waiting"),
        ],
        settings=_settings(settings, shared["recipe"]) | {"steps": settings["steps"]},
    )


def write_photographs(directory, count, shape):
    """Writes `count` parts of scikit-image's photographs, (height, width) each, as JPEG files."""
    import numpy as np
    import skimage.data
    from PIL import Image

    directory.mkdir(parents=True)
    loaders = ("astronaut", "chelsea", "coffee", "rocket")
    photographs = [getattr(skimage.data, name)() for name in loaders]
    generator = np.random.default_rng(0)
    for index in range(count):
        picture = Image.fromarray(photographs[index % len(photographs)])
        # Upsampled where the part is larger than the photograph.
        factor = max(1.0, *(a / b for a, b in zip(shape, picture.size[::-1], strict=True)))
        picture = picture.resize([round(side * factor) + 1 for side in picture.size])
        left, top = (
            generator.integers(1 + there - side)
            for there, side in zip(picture.size, shape[::-1], strict=True)
        )
        part = picture.crop((left, top, left + shape[1], top + shape[0]))
        part.save(directory / f"{index:04}.jpg", quality=QUALITY)
    return directory


def config_of(recipe, network=None, pretraining=False):
    """The `Config` of one of `RECIPES`, without its source.

    Args:
        recipe: the name.
        network: dict of fields of its network.
        pretraining: whether quickstart's steps are those of its pretraining, or Algorithm 1's.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from inversenet_tf import recipes

    config = recipes.motion_deblur()
    if recipe == "quickstart":
        recipes.on_embedded_photographs(config)
        recipes.for_two_cores(config)
        config.loss.pretraining_fraction = 1.0 if pretraining else 0.0
    else:
        config.data.crop_fraction = CROP_FRACTION
    for field, value in (network or {}).items():
        setattr(config.network, field, value)
    return config


def stream(recipe, folder, scratch, batches, kind="folder"):
    """Prepares the turn that draws batches of `training_pairs`, from a new stream each time.

    The turn reports the CPU seconds, over all cores, per image.
    """
    dataset = _pairs(config_of(recipe), folder, kind, scratch)

    def turn():
        begun = time.process_time()
        count = sum(len(images) for _, images in dataset.take(batches))
        return {"cpu_seconds": (time.process_time() - begun) / count}

    return turn


def _pairs(config, folder, kind="folder", scratch=None):
    from inversenet_tf.imaging.data.cache import cached
    from inversenet_tf.imaging.data.datasets import TRAINING, open_source
    from inversenet_tf.imaging.data.pairs import training_pairs
    from inversenet_tf.imaging.physics.operators import build_operator

    data, training = config.data, config.training
    spec = f"folder:{folder}"
    if kind == "prepared":
        from inversenet_tf.imaging.data.packing import prepare

        directory = tempfile.mkdtemp(dir=scratch)
        prepare(spec, directory)
        spec = f"prepared:{directory}"
    source = open_source(spec, TRAINING, data.channels, data.minimum_side)
    return training_pairs(
        cached(source) if kind == "cached" else source,
        build_operator(config.operator),
        config.noise,
        data,
        batch_size=training.batch_size,
        seed=training.seed,
    )


def baseline_stream(folder, batches, batch_size, **drawing):
    """The same for PyTorch's DataLoader, whose workers outlive the turn."""
    from pytorch_baselines.input_pipeline import training_loader

    loader = training_loader(folder, batches, batch_size, **drawing)

    def turn():
        begun = _cpu_seconds_with_workers()
        count = sum(len(images) for _, images in loader)
        return {"cpu_seconds": (_cpu_seconds_with_workers() - begun) / count}

    return turn


def _cpu_seconds_with_workers():
    import psutil

    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def training(recipe, folder, steps, network, streamed=False, pretraining=False):
    """Prepares the turn of some steps of the training loop, on the stream or a batch in memory."""
    model, dataset = _model_and_stream(config_of(recipe, network, pretraining), folder)
    import tensorflow as tf

    from inversenet_tf.engine.training_loop import TrainStep

    if not streamed:
        dataset = tf.data.Dataset.from_tensors(next(iter(dataset.take(1)))).repeat()
    iterator = iter(dataset)
    step = TrainStep(model, tf.distribute.get_strategy())

    def turn():
        for _ in range(steps):
            step(iterator)

    return turn


def waiting(recipe, folder, steps, network):
    """Prepares the turn of some steps, each of which begins when its batch is there.

    It reports the fraction of the time spent waiting. The first steps of a turn, which find batches
    that were prefetched before it, are left out.
    """
    model, dataset = _model_and_stream(config_of(recipe, network), folder)
    import tensorflow as tf

    iterator = iter(dataset)
    step = tf.function(model.train_step)
    left_out = min(PREFETCHED, steps - 1)

    def turn():
        waited = worked = 0.0
        for number in range(steps):
            begun = time.monotonic()
            batch = next(iterator)
            arrived = time.monotonic()
            tf.nest.map_structure(float, step(batch))  # waits for them
            if number >= left_out:
                waited += arrived - begun
                worked += time.monotonic() - arrived
        return {"waited": waited / (waited + worked)}

    return turn


def _model_and_stream(config, folder):
    from inversenet_tf.models.build import build_model
    from inversenet_tf.models.compiling import compile_model

    model = build_model(config)
    compile_model(model, config)
    return model, _pairs(config, folder)
