"""Restoring images in memory: our exports and our other interfaces, against PyTorch."""

import atexit
import shutil
import tempfile
from pathlib import Path

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.restoration"
SIZES = (64, 256, 512)  # sides of single images, in pixels
BATCH = 8  # of one more comparison, with the first size
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
OTHERS = ("Keras predict", "Restorer", "restore_bytes", "LiteRT")  # all in float32
BASELINES = ("eager", "folded", "frozen script", "compiled")
COUNTED = "PyTorch, eager, float32"
KERAS_FILE = "model.keras"
WEIGHTS_FILE = "weights.npz"
LITERT_FILE = "model.tflite"
TINY = {"sizes": [64], "batch": 0}


def comparisons(settings):
    """Single images of several sizes, and a batch; their sides are multiples that networks need.

    Args:
        settings: dict that may hold `sizes`, `batch` (0 for none), `workdir` (of a deblurring run
            with U-Net and DAE; by default the networks of the recipe for two cores, with random
            weights) and `directory` (for the exports; by default a temporary one).
    """
    directory = settings.get("directory") or temporary_directory()
    described = write_models(directory, settings.get("workdir"))
    sizes, batch = settings.get("sizes", SIZES), settings.get("batch", BATCH)
    pairs = [(size, 1) for size in sizes] + ([(sizes[0], batch)] if batch else [])
    return [_comparison(str(directory), described, size, count) for size, count in pairs]


def temporary_directory():
    """Makes a directory that is removed when this process ends."""
    directory = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _comparison(directory, described, size, batch):
    options = {"directory": directory, "shape": [batch, size, size, described["channels"]]}
    cases = [
        Case(f"SavedModel, {name}", f"{HERE}:saved_model", options | {"precision": name})
        for name in reversed(PRECISIONS)
    ]
    prepared = {
        "Keras predict": "keras_predict",
        "Restorer": "restorer",
        "restore_bytes": "restore_bytes",
        "LiteRT": "lite_rt",
    }
    for name in OTHERS:
        cases.append(Case(name, f"{HERE}:{prepared[name]}", options))
    for way in BASELINES:
        for precision in PRECISIONS:
            told = options | {"way": way, "precision": precision, "networks": described}
            name = f"PyTorch, {way}, {precision}"
            cases.append(Case(name, f"{HERE}:baseline", told, baseline=True))
    name = f"{size} x {size} px" + f", batch of {batch}" * (batch > 1)
    told = {"size": size, "batch": batch, "trained": described["trained"]}
    return Comparison(name, cases, "bfloat16", COUNTED, told)


def write_models(directory, workdir=None):
    """Writes what the cases read: exports, a Keras and a LiteRT file, and the weights.

    Returns:
        dict of the networks' arguments, for the baseline.
    """
    from pytorch_baselines.weights import write_weights

    from inversenet_tf.exporting.inversenet import export_model
    from inversenet_tf.exporting.lite import converted

    directory = Path(directory)
    for name, precision in PRECISIONS.items():
        model = model_of(workdir, precision)
        exported = export_model(model, directory / name)
        if name == "float32":
            model.save(directory / KERAS_FILE)
            networks = {"inverter": model.inverter, "denoiser": model.denoiser}
            write_weights(directory / WEIGHTS_FILE, networks)
            (directory / LITERT_FILE).write_bytes(converted(exported))
    unet, dae = model.inverter, model.denoiser
    return {
        "channels": unet.channels,
        "depth": unet.depth,
        "global_skip": unet.global_skip,
        "factor": dae.factor,
        "condition": dae.condition,
        "trained": bool(workdir),
    }


def model_of(workdir, precision):
    """Returns a run's model, or that of the recipe for two cores with no weight zero or one."""
    from pytorch_baselines.weights import randomize

    from inversenet_tf import recipes
    from inversenet_tf.models.build import build_model
    from inversenet_tf.trained_run import load_trained

    if workdir:
        return load_trained(workdir, precision=precision)[0]
    config = recipes.motion_deblur()
    recipes.for_two_cores(config)
    config.training.precision = precision
    model = build_model(config, with_discriminator=False)
    weights = [*model.inverter.weights, *model.denoiser.weights]
    randomize(weights, lambda shape: 0.02, reach=0.2)
    return model


def _images(shape):
    """Smooth images in [0, 1], as PNGs of photographs are neither noise nor flat."""
    import numpy as np

    coarse = np.random.default_rng(0).uniform(size=(shape[0], 9, 9, shape[3]))
    rows, columns = (np.linspace(0, 8, side) for side in shape[1:3])

    def between(values, places, axis):
        below = np.minimum(places.astype(int), 7)
        share = np.expand_dims(places - below, tuple(i for i in range(4) if i != axis))
        one, other = (np.take(values, below + i, axis) for i in (0, 1))
        return one * (1 - share) + other * share

    return between(between(coarse, rows, 1), columns, 2).astype(np.float32)


def _turn(restore, *kept):
    """Makes a turn of a function; it reports a pixel, which shows that all cases agree.

    Args:
        restore: function without arguments that returns an array [b, h, w, c] or PNG files.
        kept: what must stay alive for the function.
    """

    def turn(kept=kept):
        restored = restore()
        if isinstance(restored[0], bytes):
            return None
        _, height, width, _ = restored.shape
        return {"middle": float(restored[0, height // 2, width // 2, 0])}

    return turn


def _quiet():
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def saved_model(directory, shape, precision):
    """The export's default signature, as a server calls it."""
    _quiet()
    import tensorflow as tf

    from inversenet_tf.serving.saved_models import latest_version

    loaded = tf.saved_model.load(str(latest_version(Path(directory) / precision)))
    function = loaded.signatures["serving_default"]
    images = _images(shape)
    return _turn(lambda: function(measurements=tf.constant(images))["restored"].numpy(), loaded)


def restore_bytes(directory, shape):
    """PNG files in, PNG files out."""
    _quiet()
    import tensorflow as tf

    from inversenet_tf.serving.saved_models import latest_version

    loaded = tf.saved_model.load(str(latest_version(Path(directory) / "float32")))
    function = loaded.signatures["restore_bytes"]
    pixels = tf.cast(tf.round(_images(shape) * 255.0), tf.uint8)
    files = [tf.io.encode_png(image).numpy() for image in pixels]
    return _turn(lambda: function(image_bytes=tf.constant(files))["restored_bytes"].numpy(), loaded)


def _keras_model(directory):
    _quiet()
    import keras

    import inversenet_tf.models.build  # noqa: F401 - registers the classes

    return keras.saving.load_model(Path(directory) / KERAS_FILE)


def keras_predict(directory, shape):
    """The Keras model, by its own `predict`."""
    model, images = _keras_model(directory), _images(shape)
    return _turn(lambda: model.predict(images, batch_size=len(images), verbose=0)["restored"])


def restorer(directory, shape):
    """The restorer that a user of the package calls."""
    from inversenet_tf.restoration.model_restorer import ModelRestorer

    restore, images = ModelRestorer(_keras_model(directory)).estimates, _images(shape)
    return _turn(lambda: restore(images)["restored"])


def lite_rt(directory, shape):
    """LiteRT's interpreter, with as many threads as there are cores."""
    _quiet()
    import os

    from inversenet_tf.exporting.lite import LiteRestorer

    restore = LiteRestorer(Path(directory) / LITERT_FILE, os.cpu_count()).estimates
    images = _images(shape)
    return _turn(lambda: restore(images)["restored"])


def baseline(directory, shape, way, precision, networks):
    """PyTorch with the same weights."""
    import torch
    from pytorch_baselines.networks import DAE, UNet
    from pytorch_baselines.restoration import InverseNet, deployed
    from pytorch_baselines.weights import load_weights, read_weights

    n = networks
    unet = UNet(n["depth"], n["channels"], n["global_skip"])
    dae = DAE(n["factor"], n["channels"], n["condition"], n["global_skip"])
    weights = read_weights(Path(directory) / WEIGHTS_FILE)
    load_weights(unet, weights["inverter"])
    load_weights(dae, weights["denoiser"])
    images = _images(shape)
    model = InverseNet(unet, dae, autocast=precision == "bfloat16")
    restore = deployed(model, way, torch.from_numpy(images).permute(0, 3, 1, 2))

    def restored():
        measurements = torch.from_numpy(images).permute(0, 3, 1, 2)
        return restore(measurements).permute(0, 2, 3, 1).numpy()

    return _turn(restored)
