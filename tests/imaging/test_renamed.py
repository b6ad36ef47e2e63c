import dataclasses
import json

import pytest

from blind_gan_tf.config import InversionConfig
from inversenet_tf.config import Config
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.renamed import with_present_names_of_flags

OLD_AND_NEW = [
    (Config, "data.crop_share", "data.crop_fraction", 0.5),
    (Config, "noise.eight_bit", "noise.quantize", False),
    (Config, "loss.pretraining_share", "loss.pretraining_fraction", 0.25),
    (Config, "optimizer.warmup_share", "optimizer.warmup_fraction", 0.25),
    (InversionConfig, "search.surrogate_rate", "search.surrogate_learning_rate", 0.25),
    (InversionConfig, "search.latent_rate", "search.latent_learning_rate", 0.25),
    (InversionConfig, "search.trial_rounds", "search.screening_rounds", 7),
    (InversionConfig, "search.finalists", "search.survivors", 7),
    (InversionConfig, "search.library", "search.random_candidates", 7),
    (InversionConfig, "judge", "classifier", "classifier.keras"),
    (InversionConfig, "problem.noise.eight_bit", "problem.noise.quantize", False),
]


def holder(config, path):
    *sections, name = path.split(".")
    for section in sections:
        config = getattr(config, section)
    return config, name


@pytest.mark.parametrize(("config_class", "old", "new", "value"), OLD_AND_NEW)
def test_an_old_name_sets_and_reads_the_new_field(config_class, old, new, value, warned):
    config = config_class()
    section, name = holder(config, old)
    assert getattr(section, name) != value
    setattr(section, name, value)
    section, name = holder(config, new)
    assert getattr(section, name) == value


@pytest.mark.parametrize(("config_class", "old", "new", "value"), OLD_AND_NEW)
def test_a_kept_config_with_an_old_name_loads(config_class, old, new, value):
    config = config_class()
    section, name = holder(config, new)
    setattr(section, name, value)
    kept = json.loads(json.dumps(dataclasses.asdict(config)))
    written = kept
    for part in old.split(".")[:-1]:
        written = written[part]
    written[old.split(".")[-1]] = written.pop(new.split(".")[-1])
    assert config_from_dict(config_class, kept) == config


def test_flags_with_old_names_become_new_ones():
    arguments = [
        "train.py",
        "--config.noise.eight_bit=False",
        "--library=1",
    ]
    assert with_present_names_of_flags(arguments) == [
        "train.py",
        "--config.noise.quantize=False",
        "--library=1",
    ]


def test_one_line_says_the_new_name(warned):
    config_from_dict(Config, {"noise": {"eight_bit": True}})
    config_from_dict(Config, {"noise": {"eight_bit": True}})
    lines = [line for line in warned().splitlines() if "eight_bit" in line]
    assert lines in ([], ["The field eight_bit is now called quantize."])  # once in a process
