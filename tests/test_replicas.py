"""Several replicas learn what one learns, on virtual CPUs."""

import keras
import numpy as np
import pytest
from programs import run

from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.layers import BatchNorm
from inversenet_tf.engine.session import LAST
from inversenet_tf.engine.workdir import CHECKPOINTS, read_config
from inversenet_tf.models.build import build_model
from inversenet_tf.models.compiling import compile_model
from inversenet_tf.training import train

STEPS = 3


# The gradient of a ReLU jumps where its input is rounding noise around zero, which comes about
# once in a run. Softplus has none of that, so that all that is left is the rounding.
SMOOTH = """
import keras


def smooth(*slope, **options):
    return keras.layers.Activation("softplus", **options)


keras.layers.ReLU = keras.layers.LeakyReLU = smooth
"""
CONFIG = """
from inversenet_tf.config import Config


def get_config():
    config = Config()
    config.data.train = config.data.validation = "folder:{folder}"
    config.data.size = 32
    config.data.crop = "random"
    config.data.validation_limit = 1
    config.network.depth = 2
    config.network.discriminator_width = 4
    config.optimizer.clip_norm = 1.0
    config.training.batch_size = 8
    config.training.steps = config.training.steps_per_epoch = {steps}
    return config
"""
# Adam scales a gradient that is nothing but rounding noise up to the learning rate; a large epsilon
# leaves it as small as it is.
GENTLE = {"optimizer.epsilon": 1.0, "optimizer.learning_rate": 0.1}
# But for the DAE, which is left out for time, and a norm that all gradients are clipped to.
THE_PAPERS = {"network.denoiser": "none", "optimizer.clip_norm": 0.1}


@pytest.fixture(scope="module")
def config_text(shared_image_folder):
    return CONFIG.format(folder=shared_image_folder, steps=STEPS)


@pytest.fixture(scope="module")
def ending(config_text, tmp_path_factory, two_replicas):
    """Function from the number of replicas and fields of the config to the trained model."""
    root, models = tmp_path_factory.mktemp("replicas"), {}

    def trained(replicas, fields):
        key = replicas, *fields
        if key not in models:
            defined, workdir = {}, root / str(len(models))
            exec(config_text, defined)
            config = defined["get_config"]()
            config.runtime.replicas = replicas
            for name, value in fields.items():
                section, field = name.split(".")
                setattr(getattr(config, section), field, value)
            with pytest.MonkeyPatch.context() as patch:
                for name in ("ReLU", "LeakyReLU"):
                    patch.setattr(keras.layers, name, getattr(keras.layers, name))
                exec(SMOOTH, {})  # which the patch takes back
                train(config, workdir)
            models[key] = restored(workdir)
        return models[key]

    return trained


def restored(workdir):
    """The state of the run's last checkpoint, every network's gradient having been clipped."""
    config = read_config(workdir, Config)
    model = build_model(config)
    compile_model(model, config)
    path = checkpoints.restore(model.state, workdir / CHECKPOINTS / LAST)
    assert model.step == STEPS
    scores = checkpoints.scores(path)
    assert all(scores[f"{name}_clipped"] > 0 for name in model.networks), scores
    return model


def differences(one, other):
    """The largest one of each number of a state that is no integer, by name."""
    distances = {}
    for name in one.networks:
        for part in ("variables of", "optimizer of"):
            pairs = [
                getattr(m, name).variables if part[0] == "v" else m.optimizers[name].variables
                for m in (one, other)
            ]
            for first, second in zip(*pairs, strict=True):
                if "float" in first.dtype:
                    distance = np.abs(first.numpy() - second.numpy()).max()
                    distances[f"{part} {name}: {first.path}"] = distance
    return distances


def assert_same(one, other):
    """Of all weights, batch norm's statistics and Adam's moments."""
    distances = differences(one, other)
    assert len(distances) > 165
    assert {name: d for name, d in distances.items() if not d <= 1e-5} == {}


def test_all_numbers_of_a_training_are_those_of_one_replica(ending):
    assert_same(ending(1, GENTLE), ending(2, GENTLE))


@pytest.mark.slow
def test_the_program_trains_on_as_many_replicas_as_it_is_told(ending, config_text, tmp_path):
    (tmp_path / "config.py").write_text(SMOOTH + config_text)
    done = run(
        "train",
        f"--config={tmp_path / 'config.py'}",
        f"--workdir={tmp_path / 'four'}",
        "--config.runtime.replicas=4",
        *(f"--config.{name}={value}" for name, value in GENTLE.items()),
    )
    assert done.returncode == 0, done.stderr
    assert_same(ending(1, GENTLE), restored(tmp_path / "four"))


def without_effect(model):
    """The names of biases that a batch norm takes away again, and of the means it takes away."""
    names = set()
    for name, network in model.networks.items():
        for layer in network.layers:
            if isinstance(layer, BatchNorm):
                convolution = layer.input._keras_history.operation
                for variable in (convolution.bias, layer.moving_mean):
                    names.add(f"variables of {name}: {variable.path}")
    return names


@pytest.mark.slow
def test_with_the_papers_constants_only_biases_before_a_batch_norm_differ(ending):
    one, two = ending(1, THE_PAPERS), ending(2, THE_PAPERS)
    distances = differences(one, two)
    different = {name: d for name, d in distances.items() if not d <= 1e-5}
    assert different and different.keys() <= without_effect(one)
    assert max(different.values()) < 2 * STEPS * 1e-4  # of the learning rate, either way
