"""Configs that were edited to a choice that there is none of: one line, whoever reads it."""

import dataclasses
import json

import pytest

import inversenet_tf as inv
from blind_gan_tf.config import InversionConfig, PriorConfig
from blind_gan_tf.export import export_surrogate
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.exporting.conversion import check

# Fields of text that name no choice.
FREE = (
    *("train", "validation", "test", "images", "prior", "classifier"),
    *("kernel_file", "initial_kernel", "initial_weights"),
    *("comparator_weights", "comparator_sha256"),
)


def choices(config, prefix=""):
    """The names of all fields of a config that hold one of a few texts."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from choices(value, f"{prefix}{field.name}.")
        elif isinstance(value, str) and field.name not in FREE:
            yield f"{prefix}{field.name}"


def with_text(fields, name, text="unknown"):
    """A dict of a config, changed in place, with another text in one field."""
    *sections, last = name.split(".")
    section = fields
    for part in sections:
        section = section[part]
    section[last] = text
    return fields


def edit(workdir, name):
    fields = json.loads((workdir / CONFIG_FILE).read_text())
    (workdir / CONFIG_FILE).write_text(json.dumps(with_text(fields, name)))


def refused(use, name):
    """Whether a use ends in one line that names the field and what was received."""
    with pytest.raises(ValueError, match=f"{name}.*Received.*unknown") as error:
        use()
    return len(str(error.value).splitlines()) == 1


def test_there_are_choices_of_all_kinds():
    assert {
        *("operator.name", "operator.kernel", "operator.boundary", "network.inverter"),
        *("network.denoiser", "loss.comparator", "loss.reduction", "optimizer.schedule"),
        *("training.precision", "metrics.channels", "runtime.strategy", "data.crop"),
    } <= set(choices(Config()))


@pytest.mark.parametrize("name", choices(Config()))
def test_an_unknown_choice_of_a_run_is_told_in_one_line(trained, tmp_path, name):
    edit(trained, name)
    assert refused(lambda: inv.load(trained), name)
    assert refused(lambda: inv.evaluate(trained), name)
    assert refused(lambda: inv.export(trained, tmp_path / "export"), name)


@pytest.mark.parametrize("name", choices(Config()))
def test_an_unknown_choice_of_an_export_is_told_in_one_line(name):
    metadata = {"config": with_text(dataclasses.asdict(Config()), name)}
    assert refused(lambda: check(None, "export", metadata), name)


@pytest.mark.parametrize("name", choices(InversionConfig(prior="digits")))
def test_an_unknown_choice_of_an_inversion_is_told_in_one_line(tmp_path, name):
    (tmp_path / CONFIG_FILE).write_text(json.dumps(dataclasses.asdict(InversionConfig("digits"))))
    edit(tmp_path, name)
    last = name.rpartition(".")[2]  # as sections that several schemas share call it
    assert refused(lambda: export_surrogate(tmp_path, tmp_path / "export"), last)


@pytest.mark.parametrize("name", choices(PriorConfig()))
def test_an_unknown_choice_of_a_prior_is_told_in_one_line(name):
    config = PriorConfig()
    *sections, last = name.split(".")
    section = config
    for part in sections:
        section = getattr(section, part)
    setattr(section, last, "unknown")
    assert refused(config.validate, name)
