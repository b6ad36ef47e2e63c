"""Keras files of others: data, and no more memory than they may take."""

import json
import zipfile

import keras
import numpy as np
import pytest

from blind_gan_tf.prior import load_prior, prior_file
from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.models.solver_resnet import SolverResNet
from inversenet_tf.models.srresnet import SRResNet
from inversenet_tf.models.unet import UNet

TOO_MANY = 10**7


def edited(source, target, change):
    """A Keras file with another config; `change` changes the dict that it is told as."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as copy:
        for member in archive.namelist():
            content = archive.read(member)
            if member == "config.json":
                described = json.loads(content)
                change(described["config"])
                content = json.dumps(described).encode()
            copy.writestr(member, content)
    return target


def dense():
    inputs = keras.Input((30,))
    return keras.Model(inputs, keras.layers.Dense(4, name="dense")(inputs))


def widen_dense(config):
    (layer,) = (layer for layer in config["layers"] if layer["class_name"] == "Dense")
    layer["config"]["units"] = 10**12


MODELS = {
    "dense": (dense, widen_dense),
    "unet": (lambda: UNet(2), lambda config: config.update(width=TOO_MANY)),
    "solver_resnet": (
        lambda: SolverResNet(2, blocks=1, width=4),
        lambda c: c.update(width=TOO_MANY),
    ),
    "srresnet": (lambda: SRResNet(2, blocks=1, width=4), lambda c: c.update(width=TOO_MANY)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_network_of_more_weights_than_there_is_memory_is_refused(tmp_path, name):
    make, widen = MODELS[name]
    make().save(tmp_path / "model.keras")
    path = edited(tmp_path / "model.keras", tmp_path / "wide.keras", widen)
    with pytest.raises(ValueError, match="wide.keras: its weights would take .* GiB") as refused:
        load_keras(path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_network_of_layers_without_end_is_refused(tmp_path):
    SRResNet(2, blocks=1, width=4).save(tmp_path / "model.keras")
    path = edited(
        tmp_path / "model.keras", tmp_path / "deep.keras", lambda c: c.update(blocks=10**9)
    )
    with pytest.raises(ValueError, match="deep.keras: .*Expected blocks from 1 to 500"):
        load_keras(path)


def test_to_look_at_the_weights_leaves_nothing_behind(tmp_path):
    """Keras would make variables that wait to be made at the end of any stateless scope."""
    model = dense()
    model.save(tmp_path / "model.keras")
    path = edited(tmp_path / "model.keras", tmp_path / "wide.keras", widen_dense)
    with pytest.raises(ValueError, match="would take"):
        load_keras(path)
    with keras.StatelessScope():
        pass
    loaded = load_keras(tmp_path / "model.keras")
    for kept, weights in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weights)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["generator"]["config"].update(width=TOO_MANY), "its weights would take"),
        (lambda c: c["latents"].update(size=TOO_MANY), "latents of size 10000000"),
        (lambda c: c["latents"].update(distribution="cauchy"), "latents.distribution"),
        (lambda c: c["latents"].update(mean=0.5), "Latents"),
    ],
)
def test_an_edited_prior_is_told_in_one_line(tmp_path, change, said):
    path = edited(prior_file("digits"), tmp_path / "prior.keras", change)
    with pytest.raises(ValueError, match=said) as refused:
        load_prior(path)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(augmentation="unknown"), "data.augmentation.*unknown"),
        (lambda data: data.update(size=64), "images of 32 pixels.*Received: 64"),
        (lambda data: data.update(colours=3), "Expected a DataConfig"),
        (lambda data: data.clear(), "images of 32 pixels"),
    ],
)
def test_an_edited_description_of_a_priors_images_is_told_in_one_line(tmp_path, change, said):
    path = edited(
        prior_file("digits"),
        tmp_path / "prior.keras",
        lambda config: change(config["training"]["config"]["data"]),
    )
    from blind_gan_tf.problems import prior_data

    with pytest.raises(ValueError, match=said):
        prior_data(load_prior(path))


def test_a_prior_whose_training_is_no_description_is_told_in_one_line(tmp_path):
    from blind_gan_tf.problems import prior_data

    path = edited(
        prior_file("digits"), tmp_path / "prior.keras", lambda config: config.update(training=[1])
    )
    with pytest.raises(ValueError, match="the config of its training. Received: .1."):
        prior_data(load_prior(path))
