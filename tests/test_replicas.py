"""Several replicas learn what one learns: by the program itself, on virtual CPUs."""

import numpy as np
import pytest
from programs import run

from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.layers import BatchNorm
from inversenet_tf.engine.session import LAST
from inversenet_tf.engine.workdir import CHECKPOINTS, read_config
from inversenet_tf.models.build import build_model
from inversenet_tf.training import compile_model

# The gradient of a ReLU jumps where its input is rounding noise around zero, which comes about
# once in a run. Softplus has none of that, so that all that is left is the rounding.
CONFIG = """
import keras
from inversenet_tf.config import Config


def smooth(*slope, **options):
    return keras.layers.Activation("softplus", **options)


keras.layers.ReLU = keras.layers.LeakyReLU = smooth


def get_config():
    config = Config()
    config.data.train = config.data.validation = "folder:{folder}"
    config.data.size = 32
    config.data.crop = "random"
    config.network.depth = 3
    config.network.discriminator_width = 4
    config.optimizer.clip_norm = 1.0
    config.training.batch_size = 8
    config.training.steps = config.training.steps_per_epoch = 5
    return config
"""
# Adam scales a gradient that is nothing but rounding noise up to the learning rate; a large epsilon
# leaves it as small as it is.
GENTLE = ("--config.optimizer.epsilon=1.0", "--config.optimizer.learning_rate=0.1")


@pytest.fixture(scope="module")
def ending(shared_image_folder, tmp_path_factory):
    """Function from the number of replicas and flags to the model that a run ends with."""
    root, models = tmp_path_factory.mktemp("replicas"), {}
    config = root / "config.py"
    config.write_text(CONFIG.format(folder=shared_image_folder))

    def train(replicas, *flags):
        if (replicas, flags) not in models:
            workdir = root / str(len(models))
            done = run(
                "train",
                f"--config={config}",
                f"--workdir={workdir}",
                f"--config.runtime.replicas={replicas}",
                *flags,
            )
            assert done.returncode == 0, done.stderr
            models[replicas, flags] = restored(workdir)
        return models[replicas, flags]

    return train


def restored(workdir):
    """The state of the run's last checkpoint, every network's gradient having been clipped."""
    config = read_config(workdir, Config)
    model = build_model(config)
    compile_model(model, config)
    path = checkpoints.restore(model.state, workdir / CHECKPOINTS / LAST)
    assert model.step == 5
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


@pytest.mark.parametrize("replicas", [2, 4])
def test_all_numbers_of_a_training_are_those_of_one_replica(ending, replicas):
    """Weights, batch norm's statistics and Adam's moments."""
    distances = differences(ending(1, *GENTLE), ending(replicas, *GENTLE))
    assert len(distances) > 190
    assert {name: d for name, d in distances.items() if not d <= 1e-5} == {}


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


def test_with_the_papers_constants_only_biases_before_a_batch_norm_differ(ending):
    one, two = ending(1), ending(2)
    distances = differences(one, two)
    different = {name: d for name, d in distances.items() if not d <= 1e-5}
    assert different and different.keys() <= without_effect(one)
    assert max(different.values()) < 2 * 5 * 1e-4  # five steps of the learning rate, either way
