from types import SimpleNamespace

import numpy as np
import pytest
from engine.toys import Recorder, adam, compiled_pair, session, terminate_at, values

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.interruption import Interrupted
from inversenet_tf.engine.session import LAST, is_finished
from inversenet_tf.engine.workdir import CHECKPOINTS

pytestmark = pytest.mark.usefixtures("untraced")


def new_pair(strategy):
    with strategy.scope():
        return compiled_pair(adam, clip_norm=1.0)


@pytest.mark.parametrize("strategies", [(0, 0), (0, 1), (1, 0)])
def test_a_session_goes_on_where_the_one_before_ended_on_any_devices(
    tmp_path, one_device, two_replicas, strategies
):
    first, second = [(one_device, two_replicas)[index] for index in strategies]
    options = {"steps": 8, "steps_per_epoch": 4}
    whole, recorder = new_pair(one_device), Recorder()
    session(whole, one_device, tmp_path / "whole", **options)
    with pytest.raises(Interrupted, match="^Interrupted at step 3 of 8 and saved"):
        session(new_pair(first), first, tmp_path / "cut", terminate_at(2), **options)
    model = new_pair(second)
    session(model, second, tmp_path / "cut", recorder, **options)
    assert recorder.events[2] == ("batch begin", 3)
    for name, expected in values(whole).items():
        atol = 1e-6 if two_replicas in (first, second) else 0
        np.testing.assert_allclose(values(model)[name], expected, 0, atol, err_msg=name)


@pytest.mark.parametrize("at_step", [4, 3])
def test_an_epoch_whose_validation_was_broken_off_is_validated(tmp_path, one_device, at_step):
    """And its checkpoint then takes the place of that of the interruption."""
    options = {"steps": 4, "steps_per_epoch": 4}
    training = SimpleNamespace(**options)
    model = compiled_pair()
    with pytest.raises(Interrupted, match="at step 4 of 4"):
        session(model, one_device, tmp_path, terminate_at(at_step), **options)
    assert not is_finished(model, training)
    last = tmp_path / CHECKPOINTS / LAST / "step-00000004"
    assert "val_error" not in checkpoints.scores(last)
    for events in (["epoch begin", "epoch end"], []):
        model, recorder = compiled_pair(), Recorder()
        session(model, one_device, tmp_path, recorder, **options)
        assert [event for event, _ in recorder.events] == ["train begin", *events, "train end"]
        assert is_finished(model, training)
        assert "val_error" in checkpoints.scores(last)
    assert [path.name for path in last.parent.iterdir()] == [last.name]


def test_a_damaged_last_checkpoint_costs_its_steps_alone(tmp_path, one_device, warned):
    whole = compiled_pair(adam)
    session(whole, one_device, tmp_path)
    last = tmp_path / CHECKPOINTS / LAST / "step-00000006"
    (last / "state.index").write_bytes(b"")
    model, recorder = compiled_pair(adam), Recorder()
    session(model, one_device, tmp_path, recorder)
    assert "Taken instead: step-00000004" in warned()
    assert [e for e, _ in recorder.events].count("batch end") == 2
    for name, expected in values(whole).items():
        np.testing.assert_array_equal(values(model)[name], expected, name)
    assert last.is_dir()


def test_without_a_readable_checkpoint_nothing_is_begun_anew(tmp_path, one_device):
    session(compiled_pair(), one_device, tmp_path, steps=2)
    (tmp_path / CHECKPOINTS / LAST / "step-00000002" / "state.index").write_bytes(b"")
    with pytest.raises(OSError, match="Cannot read the checkpoint"):
        session(compiled_pair(), one_device, tmp_path)


def test_a_run_of_a_shorter_last_epoch_ends_and_resumes(tmp_path, one_device):
    options = {"steps": 5, "steps_per_epoch": 2}
    whole, model = compiled_pair(adam), compiled_pair(adam)
    session(whole, one_device, tmp_path / "whole", **options)
    with pytest.raises(Interrupted, match="at step 5 of 5"):
        session(model, one_device, tmp_path / "cut", terminate_at(5), **options)
    model = compiled_pair(adam)
    session(model, one_device, tmp_path / "cut", **options)
    for name, expected in values(whole).items():
        np.testing.assert_array_equal(values(model)[name], expected, name)
    assert is_finished(model, SimpleNamespace(**options))
    assert not is_finished(model, SimpleNamespace(steps=6, steps_per_epoch=2))
