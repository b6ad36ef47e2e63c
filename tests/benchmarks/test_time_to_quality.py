"""What takes part in the section, and what a turn of deepinv's networks tells."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf
from benchmarks import time_to_quality

from inversenet_tf.models import build

KERNEL = np.full((3, 3), 1 / 9, np.float32)
SIDE = 16
needs_deepinv = pytest.mark.skipif(
    importlib.util.find_spec("deepinv") is None or importlib.util.find_spec("torch") is None,
    reason="deepinv is not installed",
)


def of_deepinv():
    """{name of the comparison: the options of deepinv's cases}"""
    return {
        comparison.name: [
            case.options for case in comparison.cases if case.prepare.endswith(":deepinv")
        ]
        for comparison in time_to_quality.comparisons({})
    }


def test_ours_told_the_blur_is_held_against_deepinv_told_the_blur():
    told, _ = time_to_quality.comparisons({})
    assert "told the blur" in told.name and told.cases[0].options["recipe"] == "quickstart"
    assert all(case.baseline for case in told.cases[1:])
    names = {options["name"] for options in of_deepinv()[told.name]}
    assert names == set(time_to_quality.TOLD_RATES)


@needs_deepinv
def test_every_network_of_deepinv_is_there():
    from pytorch_baselines.deepinv_networks import NETWORKS

    asked = [options["name"] for cases in of_deepinv().values() for options in cases]
    assert sorted(asked) == sorted(NETWORKS)


def test_the_learning_rate_ends_when_the_turns_do():
    for comparison in time_to_quality.comparisons({"budget": 30.0}):
        assert "30 s of training" in comparison.name
        assert comparison.rounds * time_to_quality.SLICE == 30.0
        deepinv = [case for case in comparison.cases if case.prepare.endswith(":deepinv")]
        assert all(case.options["budget"] == 30.0 for case in deepinv)


class FewPixels:
    """`time_to_quality.Data` of one small image."""

    kernel = KERNEL
    spectrum = "that of the training images"

    def __init__(self, config):
        images = tf.random.stateless_uniform((2, SIDE, SIDE, 3), (0, 0))
        self.batches = tf.data.Dataset.from_tensors((images, images)).repeat()

    def gain(self, restore):
        measurements, _ = next(iter(self.batches))
        return {"restored": restore(measurements)}


@needs_deepinv
def test_a_turn_trains_for_its_seconds_and_then_restores(monkeypatch):
    monkeypatch.setattr(time_to_quality, "Data", FewPixels)
    turn = time_to_quality.deepinv("DnCNN", 1e-3, budget=1.0, slice_=0.05, smaller={})
    first, second = turn(), turn()
    assert first["seconds"] >= 0.05 and second["seconds"] >= first["seconds"] + 0.05
    assert second["steps"] > first["steps"] > 0
    assert second["restored"].shape == (2, SIDE, SIDE, 3)


def test_ours_begins_with_the_spectrum_that_a_training_fits(monkeypatch):
    class Built(Exception):
        pass

    def solvers_of(config, kernel=None, spectrum=None):
        raise Built(kernel, spectrum)

    monkeypatch.setattr(time_to_quality, "Data", FewPixels)
    monkeypatch.setattr(build, "solvers_of", solvers_of)
    with pytest.raises(Built) as built:
        time_to_quality.ours("quickstart", slice_=0.05, smaller={})
    kernel, spectrum = built.value.args
    assert kernel is KERNEL and spectrum == FewPixels.spectrum
