"""Runs that were edited, as to a choice that there is none of: one line, whoever reads them."""

import dataclasses
import json
import re

import pytest

import inversenet_tf as inv
from blind_gan_tf.config import InversionConfig, PriorConfig
from blind_gan_tf.export import export_surrogate
from inversenet_tf.chosen_constants import NAMES
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.exporting.conversion import check
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.reporting import RESULTS_FILE, own_results
from inversenet_tf.training import train

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


def go_on(workdir):
    fields = json.loads((workdir / CONFIG_FILE).read_text())
    fields["training"]["steps"] += 2
    train(config_from_dict(Config, fields), workdir, extend=True)


UNREADABLE = "Cannot read the (checkpoint|scores of the checkpoint) .*scores.json"
# {file: (use, what is said)}
FILES = {
    "history.json": (go_on, "Expected validations, of type list"),
    "baselines.json": (inv.evaluate, "Expected wiener.balance, of type float"),
    "spectrum.json": (inv.load, "Expected a Spectrum"),
    "checkpoints/best/*/scores.json": (inv.load, UNREADABLE),
    "checkpoints/last/*/scores.json": (go_on, UNREADABLE),
}


@pytest.mark.parametrize("value", [None, "unknown"])
@pytest.mark.parametrize("name", FILES)
def test_any_other_file_of_a_run_that_was_edited_is_told_in_one_line(trained, warned, name, value):
    """It is refused, or warned of where another one can be taken; nothing ends in a traceback."""
    use, told = FILES[name]
    path = max(trained.glob(name))
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), value)))
    said = ""
    try:
        use(trained)
    except (ValueError, OSError) as error:
        said = str(error)
    assert len(said.splitlines()) <= 1 and re.search(told, said + warned())


@pytest.mark.parametrize("value", [-3, 0, 1e300, 10**400, float("nan"), True])
@pytest.mark.parametrize("name", ["wiener", "lmmse"])
def test_a_constant_that_none_can_be_is_told_before_any_image_is_restored(trained, name, value):
    path = trained / "baselines.json"
    kept = json.loads(path.read_text())
    kept[name][NAMES[name]] = value
    path.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match=rf"Expected {name}\.{NAMES[name]}.*{path}.*Received: "):
        inv.evaluate(trained)


def test_what_else_stands_beside_the_constants_does_not_matter(trained):
    path = trained / "baselines.json"
    kept = json.loads(path.read_text())
    edited = kept | {"lmmse": kept["lmmse"] | {"to_gray": True}, "bicubic": {"scale": 3}}
    path.write_text(json.dumps(edited))
    assert inv.evaluate(trained)["baselines"] == kept


@pytest.mark.parametrize("name", ["checkpoint", "methods", "metrics", "config"])
def test_results_that_were_edited_are_told_in_one_line(tmp_path, name):
    results = {
        **{"is_own": True, "checkpoint": {"step": 4}, "data": {}, "number_of_images": 1},
        **{"methods": {"restored": {"psnr": 30, "ssim": 0.9}}, "degradation": "blur"},
        **{"metrics": {}, "versions": {}, "config": {"training": {"precision": "float32"}}},
    }
    (tmp_path / RESULTS_FILE).write_text(json.dumps(results))
    assert own_results(tmp_path, 4) == results
    (tmp_path / RESULTS_FILE).write_text(json.dumps(results | {name: {"restored": "unknown"}}))
    if name == "metrics":  # of which nothing is read
        assert own_results(tmp_path, 4) is not None
        return
    with pytest.raises(ValueError, match=f"Expected {name}.*, of type .*{RESULTS_FILE}. Received"):
        own_results(tmp_path, 4)
