import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine.toys import (
    Pair,
    adam,
    compiled_pair,
    fit_pair,
    session,
    terminate_at,
    values,
)

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.divergence import RECENT, REPORT_FILE, RollBack, TrainingDiverged
from inversenet_tf.engine.interruption import Interrupted
from inversenet_tf.engine.session import LAST
from inversenet_tf.engine.training_loop import NotFinite
from inversenet_tf.engine.workdir import CHECKPOINTS

pytestmark = pytest.mark.usefixtures("untraced")


class Watch(keras.callbacks.Callback):
    """Keeps the state at every beginning and at every end of an epoch."""

    def __init__(self):
        super().__init__()
        self.begun, self.ended = [], []

    def on_train_begin(self, logs=None):
        self.begun.append(values(self.model))
        assert len(self.begun) < 4  # it would else go on for ever

    def on_epoch_end(self, epoch, logs=None):
        self.ended.append(values(self.model) | {"logs": logs})


def nan_in(step, also_when_lowered=True):
    """A loss that makes everything of `second` NaN in that step."""

    def changed(model, name, loss):
        wrong = (model.steps_taken == step - 1) & (name == "second")
        wrong &= also_when_lowered | (model.learning_rate_factor == 1.0)
        return loss * tf.where(wrong, math.nan, 1.0)

    return changed


def report_of(workdir):
    return json.loads((workdir / REPORT_FILE).read_text(), parse_constant=pytest.fail)


def assert_same(state, expected):
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, name)


@pytest.mark.parametrize("strategy", ["one_device", "two_replicas"])
@pytest.mark.parametrize("step", [3, 4])
def test_a_first_divergence_goes_back_and_on_at_half_the_rates(
    tmp_path, strategy, step, request, warned
):
    strategy, watch = request.getfixturevalue(strategy), Watch()
    with strategy.scope():
        model = compiled_pair(adam, dropout=0.5, changed=nan_in(step, also_when_lowered=False))
    session(model, strategy, tmp_path, watch)
    assert [int(state["steps_taken"]) for state in watch.ended] == [2, 4, 6]
    assert len(watch.begun) == 2
    assert watch.ended[0].pop("logs")["first_loss"] > 0
    assert len(watch.ended[0]) == 3 + 2 * (5 + 9 + 1)  # networks, Adams with moments, seeds
    assert_same(watch.begun[1], watch.ended[0] | {"learning_rate_factor": 0.5})
    for variable in model.state_variables:
        value = variable.value if isinstance(variable, keras.Variable) else variable
        for replica in strategy.experimental_local_results(value):
            np.testing.assert_array_equal(replica, variable.numpy())
            assert np.isfinite(replica).all()
    assert (
        f"at step {step}: resuming from step 2, with learning rates multiplied by 0.5" in warned()
    )
    report = report_of(tmp_path)
    assert (report["step"], report["went_back_to_step"]) == (step, 2)
    assert report["then"] == "learning rates times 0.5"


def test_it_goes_back_to_the_beginning_of_the_session(tmp_path, one_device):
    options = {"steps": 8, "steps_per_epoch": 4}
    with pytest.raises(Interrupted, match="at step 3"):
        session(compiled_pair(adam), one_device, tmp_path, terminate_at(2), **options)
    model, watch = compiled_pair(adam, changed=nan_in(4, also_when_lowered=False)), Watch()
    session(model, one_device, tmp_path, watch, **options)
    assert_same(watch.begun[1], watch.begun[0] | {"learning_rate_factor": 0.5})
    assert [int(state["steps_taken"]) for state in (*watch.begun, *watch.ended)] == [3, 3, 4, 8]


def test_what_follows_is_a_training_at_half_the_rates(tmp_path, one_device):
    survivor = compiled_pair(dropout=0.5, changed=nan_in(4, also_when_lowered=False))
    session(survivor, one_device, tmp_path, Watch())
    expected = compiled_pair(dropout=0.5)
    fit_pair(expected, one_device, steps=2)
    expected.learning_rate_factor.assign(0.5)
    fit_pair(expected, one_device, steps=6)
    assert_same(values(survivor), values(expected))


def test_a_rate_that_is_too_high_is_survived(tmp_path, one_device):
    """On a parabola, a step at 1.5 times the stable rate doubles the weight; at half, halves it."""

    def parabola(model, name, loss):
        steepness = 3.0 / 0.1  # over the rate
        flat = sum(tf.reduce_sum(0.0 * v) for v in getattr(model, name).trainable_variables)
        bias = getattr(model, name).get_layer("outputs").bias
        return flat + steepness / 2 * tf.reduce_sum(bias**2)

    model, watch = compiled_pair(changed=parabola), Watch()
    for network in model.networks.values():
        network.get_layer("outputs").bias.assign([1e17])
    session(model, one_device, tmp_path, watch, steps=20, steps_per_epoch=10)
    assert model.step == 20
    assert "inf" in report_of(tmp_path)["not_finite"].values()
    assert float(model.learning_rate_factor.numpy()) == 0.5
    np.testing.assert_allclose(model.first.get_layer("outputs").bias, 1e17 * 0.5**20, rtol=1e-4)
    first, last = (state["logs"]["first_loss"] for state in watch.ended)
    assert last < first < np.inf


def test_a_second_divergence_ends_the_run_with_a_report(tmp_path, one_device):
    model, watch = compiled_pair(adam, changed=nan_in(4)), Watch()
    message = (
        "^second_loss is nan, second_gradient_norm is nan at step 4, also at a lower learning "
        "rate.* with a smaller some.rate.$"
    )
    with pytest.raises(TrainingDiverged, match=message):
        session(model, one_device, tmp_path, watch)
    assert_same(values(model), watch.begun[1])
    assert [path.name for path in (tmp_path / CHECKPOINTS / LAST).iterdir()] == ["step-00000002"]
    report = report_of(tmp_path)
    assert (report["step"], report["went_back_to_step"], report["then"]) == (4, 2, "stopped")
    assert report["not_finite"] == {"second_loss": "nan", "second_gradient_norm": "nan"}
    assert report["steps_before"][-1]["step"] == 3
    assert report["steps_before"][-1]["second_loss"] > 0
    assert {"inversenet_tf", "tensorflow", "keras", "python"} <= set(report["versions"])


def test_a_lowered_rate_survives_a_resume(tmp_path, one_device):
    lowered = compiled_pair(changed=nan_in(3, also_when_lowered=False))
    session(lowered, one_device, tmp_path, Watch())
    model, watch = compiled_pair(changed=nan_in(8)), Watch()
    with pytest.raises(TrainingDiverged):
        session(model, one_device, tmp_path, watch, steps=8)
    [begun] = watch.begun
    assert (int(begun["steps_taken"]), float(begun["learning_rate_factor"])) == (6, 0.5)


def begun(roll_back, model):
    roll_back.set_model(model)
    roll_back.on_train_begin()
    return roll_back


def test_a_report_holds_the_last_few_steps(tmp_path):
    model = compiled_pair()
    roll_back = begun(RollBack(tmp_path, "rate"), model)
    for step in range(1, RECENT + 6):
        model.steps_taken.assign(step)
        roll_back.on_train_batch_end(step, {"first_loss": float(step)})
    roll_back.after(NotFinite({"first_loss": math.inf}))
    assert report_of(tmp_path)["steps_before"] == [
        {"step": step, "first_loss": step} for step in range(6, RECENT + 6)
    ]
    assert report_of(tmp_path)["not_finite"] == {"first_loss": "inf"}


def test_workers_other_than_the_chief_go_back_but_write_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = compiled_pair()
    roll_back = begun(RollBack(None, "rate"), model)
    model.steps_taken.assign(3)
    roll_back.after(NotFinite({"first_loss": math.nan}))
    assert model.step == 0 and float(model.learning_rate_factor.numpy()) == 0.5
    assert list(tmp_path.iterdir()) == []


def test_rates_that_cannot_be_lowered_end_the_run_at_once(tmp_path):
    model = Pair()
    model.compile(optimizers={name: keras.optimizers.SGD(0.1) for name in model.networks})
    assert "learning_rate_factor" not in model.state
    roll_back = begun(RollBack(tmp_path, "rate"), model)
    model.steps_taken.assign(3)
    with pytest.raises(TrainingDiverged, match="first_loss is nan at step 3"):
        roll_back.after(NotFinite({"first_loss": math.nan}))
    assert model.step == 0
    assert checkpoints.latest(tmp_path) is None
