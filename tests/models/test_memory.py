"""A number in a config that asks for more memory than there is ends in one line, from anywhere."""

import json

import numpy as np
import pytest
import tensorflow as tf
from huge_numbers import whole_numbers, with_value

from inversenet_tf import shipped
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.evaluation import evaluate
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.checks import MOST
from inversenet_tf.imaging.files import memory as system_memory
from inversenet_tf.models.build import build_model
from inversenet_tf.models.memory import check_batch_fits, check_training_fits, needs_of
from inversenet_tf.models.presets import load_preset
from inversenet_tf.trained_run import load_trained
from inversenet_tf.training import train

TOO_WIDE = 10**6
# Fields by which no array, no network and no graph grows; and what a training with it would need.
HARMLESS = {
    "data.validation_limit": "images that come one after another",
    "operator.kernel_seed": "a seed",
    "operator.kernel_index": "a place in a file",
    "training.seed": "a seed",
    "training.steps": "time",
    "training.steps_per_epoch": "time",
    "runtime.kept_checkpoints": "room on a disk",
}


def small(name, **fields):
    config = Config()
    config.network.inverter = name
    config.data.size = 32
    for field, value in fields.items():
        setattr(config.network, field, value)
    return config


@pytest.mark.parametrize(
    "config",
    [
        small("unet", width=16, depth=5),
        small("unet", width=48, depth=3, dae_factor=8, discriminator_width=96),
        small("solver_unet", width=64, depth=4, denoiser="dncnn", dncnn_layers=9),
        small("srresnet", residual_blocks=6, residual_width=32, dae_factor=2),
        small("solver_resnet", residual_blocks=6, residual_width=32, denoiser="none"),
    ],
)
def test_what_networks_need_is_a_lower_bound_and_not_far_below(config):
    config.validate()
    model, needs = build_model(config), needs_of(config)
    assert needs.keys() == model.networks.keys()
    for name, network in model.networks.items():
        present = network.count_params()
        assert 0.7 * present < needs[name].weights <= present
        assert 0.3 * _features(network) < needs[name].features <= _features(network)


def _features(network):
    """Numbers that convolutions give for each pixel, of a network that sees 32 pixels."""
    inputs = [tf.TensorSpec((1, 32, 32, tensor.shape[-1]), tf.float32) for tensor in network.inputs]
    graph = tf.function(lambda *images: network(list(images) if len(images) > 1 else images[0]))
    operations = graph.get_concrete_function(*inputs).graph.get_operations()
    kinds = ("Conv2D", "Conv2DBackpropInput")
    convolved = [operation.outputs[0] for operation in operations if operation.type in kinds]
    seen_twice = 2 if network.name == "discriminator" else 1
    return seen_twice * sum(np.prod(tensor.shape) for tensor in convolved) / 32**2


@pytest.mark.parametrize("field", [f for f in whole_numbers(Config()) if f not in HARMLESS])
def test_a_huge_number_is_refused_before_anything_is_made(small_config, tmp_path, field):
    small_config.network.inverter = "srresnet" if "residual" in field else "unet"
    small_config.network.denoiser = "dncnn" if "dncnn" in field else "dae"
    config = with_value(small_config, field)
    with pytest.raises(ValueError, match="Expected|would take") as refused:
        train(config, tmp_path / "run")
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("field", HARMLESS)
def test_a_huge_number_that_takes_no_memory_is_none_of_them(small_config, field):
    config = with_value(small_config, field)
    config.validate()
    check_training_fits(config)


@pytest.mark.parametrize("field", whole_numbers(Config()))
def test_numbers_that_no_field_holds_are_refused_by_name(small_config, field):
    with pytest.raises(ValueError, match=f"Expected .*{field}|{field.split('.')[-1]}"):
        with_value(small_config, field, 10**400).validate()


def edited(folder, **network):
    config = json.loads((folder / CONFIG_FILE).read_text())
    config["network"] |= network
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    "fields", [{"width": TOO_WIDE}, {"dae_factor": MOST}, {"dncnn_layers": MOST}]
)
def test_an_edited_run_is_refused_by_whatever_loads_it(trained, tmp_path, fields):
    edited(trained, **fields)
    (field,) = fields
    for use in (
        lambda: load_trained(trained),
        lambda: evaluate(trained),
        lambda: export_run(trained, tmp_path / "export"),
    ):
        with pytest.raises(ValueError, match=f"network.{field}"):
            use()


def test_an_edited_preset_is_refused(tmp_path):
    for path in (shipped.PRESETS / "any_blur").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=f"network.width {TOO_WIDE} .* would take .* GiB"):
        load_preset(edited(tmp_path, width=TOO_WIDE))


def test_a_batch_of_an_evaluation_is_no_larger_than_its_images(small_config):
    small_config.training.batch_size = MOST
    check_batch_fits(small_config, count=6)
    with pytest.raises(ValueError, match=f"training.batch_size {MOST}.* would take"):
        check_batch_fits(small_config, count=MOST)
    small_config.data.evaluation_crop = "whole"
    check_batch_fits(small_config, count=MOST)


def test_a_training_may_take_all_that_is_free_and_its_use_half(small_config, monkeypatch):
    small_config.network.width = 512
    weights = needs_of(small_config)["inverter"].weights
    monkeypatch.setattr(system_memory, "SMALL", 0)
    monkeypatch.setattr(system_memory, "free_memory", lambda: 30 * weights)
    check_training_fits(small_config)
    monkeypatch.setattr(system_memory, "free_memory", lambda: 16 * weights)
    with pytest.raises(ValueError, match="network.width 512 .* may be used, all that is free"):
        check_training_fits(small_config)
    monkeypatch.setattr(system_memory, "free_memory", lambda: 7 * weights)
    with pytest.raises(ValueError, match="network.width 512 .* may be used, half of what is free"):
        build_model(small_config)
