"""How soon a restoration is good: PSNR of held-out photographs against seconds of training.

A turn trains for some seconds and then measures; tracing and compiling count as training, measuring
does not. All train on batches of one input pipeline, which runs in their own process.
"""

import os
import time

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.time_to_quality"
SLICE = 10.0  # seconds of training in a turn
TOLD, UNTOLD = 90.0, 220.0  # seconds of training in all, with the blur known and unknown
TINY = {"slice": 0.1, "budget": 0.1, "size": 32, "width": 4}
# Networks of deepinv, by their names in `pytorch_baselines.deepinv_networks`, and the learning
# rates of their training, see docs/speed.md.
TOLD_RATES = {"unrolled HQS": 1e-3, "UNet behind its Wiener filter": 1e-3}
UNTOLD_RATES = {"UNet": 1e-3, "DnCNN": 1e-3}


def comparisons(settings):
    """Two comparisons: of methods that know the blur, and of ones that see only its result.

    Args:
        settings: dict that may hold `slice` and `budget` in seconds, the `size` of patches and the
            `width` of the discriminator.
    """
    slice_ = settings.get("slice", SLICE)
    shared = {
        "slice_": slice_,
        "smaller": {name: settings[name] for name in ("size", "width") if name in settings},
    }

    def of_deepinv(rates, budget):
        for name, rate in rates.items():
            options = shared | {"name": name, "learning_rate": rate, "budget": budget}
            yield Case(f"deepinv's {name}, MSE", f"{HERE}:deepinv", options, baseline=True)

    told, untold = (settings.get("budget", budget) for budget in (TOLD, UNTOLD))
    quickstart = Case("ours, recipe quickstart", f"{HERE}:ours", shared | {"recipe": "quickstart"})
    paper = Case("ours, recipe the paper's", f"{HERE}:ours", shared | {"recipe": "paper"})
    in_torch = Case("PyTorch, recipe the paper's", f"{HERE}:baseline", shared, baseline=True)
    return [
        _comparison("told the blur", [quickstart, *of_deepinv(TOLD_RATES, told)], told, slice_),
        _comparison(
            "the measurement alone",
            [paper, in_torch, *of_deepinv(UNTOLD_RATES, untold)],
            untold,
            slice_,
        ),
    ]


def _comparison(seen, cases, budget, slice_):
    return Comparison(
        f"PSNR of two held-out photographs, {seen}, {budget:g} s of training each",
        cases,
        precision_of_the_machine(),
        settings={"data": "photos", "operator": "motion blur of 9 pixels"},
        rounds=max(1, round(budget / slice_)),
        warm_up=0,
        repeatable=False,
    )


def precision_of_the_machine():
    """What all networks compute in: "bfloat16" where it is the faster one here, or "float32"."""
    from inversenet_tf.imaging.processor import fast_precision

    return fast_precision().removeprefix("mixed_")


def config_of(recipe, size=0, width=0):
    """The `Config` of quickstart, or the paper's constants on the same photographs."""
    from inversenet_tf import recipes
    from inversenet_tf.imaging.processor import fast_precision

    config = recipes.quickstart()
    if recipe == "paper":
        config = recipes.motion_deblur()
        recipes.on_embedded_photographs(config)
    config.training.precision = fast_precision()
    config.data.size = size or config.data.size
    config.network.discriminator_width = width or config.network.discriminator_width
    return config


class Data:
    """A config's endless batches, and its held-out photographs with their measurements.

    Attributes:
        batches: tf.data.Dataset of (measurements, images).
        kernel: [height, width], of the blur.
        spectrum: of the training images, which a training fits before it builds its networks.
    """

    def __init__(self, config):
        from inversenet_tf.data import open_data, spectrum_of
        from inversenet_tf.imaging.data.pairs import evaluation_pairs, training_pairs
        from inversenet_tf.imaging.metrics import psnr

        operator, images, held_out = open_data(config)
        self.kernel = operator.kernel
        self.spectrum = spectrum_of(images, config.data)
        shared = {"seed": config.training.seed}
        shared["batch_size"] = config.training.batch_size
        self.batches = training_pairs(images, operator, config.noise, config.data, **shared)
        self._held_out = list(
            evaluation_pairs(held_out, operator, config.noise, config.data, **shared)
        )
        self._psnr = lambda estimates, images: float(psnr(estimates, images, config.metrics)[0])

    def gain(self, restore):
        """Mean PSNR in dB of `restore(measurements)`, and its gain over the measurements'."""
        pairs = self._held_out
        after = sum(self._psnr(restore(measured), images) for measured, images in pairs)
        before = sum(self._psnr(measured, images) for measured, images in pairs)
        return {"psnr": after / len(pairs), "gain": (after - before) / len(pairs)}


def _turn(slice_, step, gain):
    """Makes a turn that trains until the slice is over, then measures.

    Args:
        slice_: seconds of a turn.
        step: function of the seconds trained so far that takes a step and returns True, or
            returns False if there are none left.
        gain: function that measures.
    """
    steps, seconds = 0, 0.0

    def turn():
        nonlocal steps, seconds
        begun = time.monotonic()
        while time.monotonic() - begun < slice_:
            steps += step(seconds + time.monotonic() - begun)
        seconds += time.monotonic() - begun
        return {"seconds": seconds, "steps": steps} | gain()

    return turn


def ours(recipe, slice_, smaller):
    """What `inversenet_tf.training.train` runs, but for checkpoints and logs."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from inversenet_tf.engine.training_loop import TrainStep
    from inversenet_tf.engine.workdir import fix_randomness
    from inversenet_tf.models.build import build_model, solvers_of
    from inversenet_tf.models.compiling import compile_model

    config = config_of(recipe, **smaller)
    fix_randomness(config.training)
    data = Data(config)
    model = build_model(config, solvers=solvers_of(config, data.kernel, data.spectrum))
    compile_model(model, config)
    strategy = tf.distribute.get_strategy()
    train_step = TrainStep(model, strategy)
    iterator = iter(strategy.distribute_datasets_from_function(lambda context: data.batches))
    restore = tf.function(lambda measurements: model.restore(measurements)["restored"])

    def step(seconds):
        if model.step == config.training.steps:
            time.sleep(0.1)  # the recipe has ended
            return False
        train_step(iterator)
        return True

    return _turn(slice_, step, lambda: data.gain(restore))


def baseline(slice_, smaller):
    """The paper's recipe by `pytorch_baselines.inversenet`."""
    import torch
    from pytorch_baselines.inversenet import Settings, TrainingStep, build_networks, settings_of
    from pytorch_baselines.restoration import InverseNet

    config = config_of("paper", **smaller)
    torch.manual_seed(0)
    settings = Settings(**settings_of(config))
    networks = build_networks(settings)
    autocast = precision_of_the_machine() == "bfloat16"
    train_step = TrainingStep(networks, settings, autocast=autocast)
    restoration = InverseNet(networks["inverter"], networks["denoiser"], autocast=autocast)

    def restore(measurements):
        restoration.eval()
        with torch.inference_mode():
            restored = restoration(measurements)
        restoration.train()
        return restored

    return _torch_turn(Data(config), slice_, lambda batch, seconds: train_step(*batch), restore)


def deepinv(name, learning_rate, budget, slice_, smaller):
    """A network of deepinv on quickstart's patches."""
    from pytorch_baselines.deepinv_networks import Restoration

    data = Data(config_of("quickstart", **smaller))
    autocast = precision_of_the_machine() == "bfloat16"
    restoration = Restoration(name, data.kernel, learning_rate, autocast)

    def step(batch, seconds):
        restoration.train_step(*batch, seconds / budget)

    return _torch_turn(data, slice_, step, restoration.restore)


def _torch_turn(data, slice_, step, restore):
    """Makes a turn of PyTorch, converting [batch, height, width, 3] of the data and back."""
    import torch

    def to_torch(images):
        return torch.from_numpy(images).permute(0, 3, 1, 2)  # in memory channels_last

    batches = (tuple(map(to_torch, batch)) for batch in data.batches.as_numpy_iterator())

    def restored(measurements):
        return restore(to_torch(measurements.numpy())).permute(0, 2, 3, 1).numpy()

    def one_step(seconds):
        step(next(batches), seconds)
        return True

    return _turn(slice_, one_step, lambda: data.gain(restored))
