"""What a network of the caller's own must be is said in one line, before anything is written."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf import evaluate, export, load
from inversenet_tf.training import train

pytestmark = pytest.mark.usefixtures("untraced")

layers = keras.layers


def convolution():
    return layers.Conv2D(3, 3, padding="same")


def model_of(function, shape=(None, None, 3), **options):
    inputs = keras.Input(shape, **options)
    return keras.Model(inputs, function(inputs))


def dense(side):
    """A network that can be of no other size."""
    return model_of(
        lambda x: layers.Reshape((side, side, 3))(
            layers.Dense(side * side * 3)(layers.Flatten()(x))
        ),
        (side, side, 3),
    )


def frozen():
    network = model_of(convolution())
    network.trainable = False
    return network


@keras.saving.register_keras_serializable("tests")
class Stairs(layers.Layer):
    """What has no gradient."""

    def call(self, x):
        return tf.round(x)


REFUSED = {
    "a layer": (convolution, "a Keras model. Received: a Conv2D"),
    "a function": (lambda: tf.identity, "a Keras model. Received: a function"),
    "a Sequential that is not built": (
        lambda: keras.Sequential([convolution()]),
        "a Sequential without inputs",
    ),
    "two outputs": (lambda: model_of(lambda x: [convolution()(x)] * 2), "1 and 2"),
    "vectors": (lambda: model_of(layers.Dense(3), (3,)), "images, "),
    "a fixed batch": (
        lambda: model_of(convolution(), None, batch_shape=(2, None, None, 3)),
        "images, ",
    ),
    "no weights": (lambda: model_of(layers.Activation("tanh")), "to have trainable weights"),
    "frozen weights": (frozen, "to have trainable weights"),
    "a lambda": (
        lambda: model_of(lambda x: layers.Lambda(lambda y: y)(convolution()(x))),
        "Keras can save and load",
    ),
    "no gradient": (lambda: model_of(lambda x: Stairs()(convolution()(x))), "differentiable"),
    "other channels": (lambda: model_of(layers.Conv2D(3, 3), (None, None, 1)), "measurements of"),
    "another size": (lambda: dense(48), "measurements of"),
}


@pytest.fixture
def own(small_config):
    small_config.network.inverter, small_config.network.denoiser = "custom", "none"
    small_config.data.evaluation_crop = "center"
    small_config.training.steps = small_config.training.steps_per_epoch = 1
    small_config.loss.adversarial_weight = 0.0
    return small_config


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_no_inverter(own, tmp_path, name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words) as refused:
        train(own, tmp_path / "run", inverter=make())
    message = str(refused.value)
    assert message.startswith("Expected ") and "\n" not in message and len(message) < 500
    assert not list((tmp_path / "run").rglob("[!.]*"))


def test_a_built_sequential_is_trained(own, tmp_path):
    network = keras.Sequential([keras.Input((None, None, 3)), convolution()])
    train(own, tmp_path / "run", inverter=network)
    assert load(tmp_path / "run")(np.full((20, 30, 3), 0.5)).shape == (20, 30, 3)


def test_a_network_of_one_size_works_where_it_can(own, tmp_path):
    side = own.data.size
    train(own, tmp_path / "run", inverter=dense(side))
    assert np.isfinite(evaluate(tmp_path / "run", limit=1).methods["restored"]["psnr"])
    restorer = load(tmp_path / "run")
    assert restorer(np.full((side, side, 3), 0.5)).shape == (side, side, 3)
    with pytest.raises(ValueError, match=f"of {side}x{side} pixels, .* Received: 20x30"):
        restorer(np.full((20, 30, 3), 0.5))
    with pytest.raises(ValueError, match="for images of any size"):
        export(tmp_path / "run", tmp_path / "export")


def test_whole_images_are_no_validation_of_it(own, tmp_path):
    own.data.evaluation_crop = "whole"
    with pytest.raises(ValueError, match='data.evaluation_crop "center"'):
        train(own, tmp_path / "run", inverter=dense(own.data.size))
    assert not list((tmp_path / "run").rglob("[!.]*"))
