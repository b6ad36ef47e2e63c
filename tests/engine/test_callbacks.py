import time

import pytest
from engine.toys import Recorder, compiled_pair, fit_pair

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.callbacks import LastCheckpoints, Progress, SaturationAlarm


@pytest.fixture
def clock(monkeypatch):
    """`clock[0]` is what the monotonic clock says."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def begun(keeper, model):
    keeper.set_model(model)
    keeper.on_train_begin()
    return keeper


def test_seconds_are_those_of_all_sessions(clock, tmp_path):
    model = compiled_pair()

    def session(steps):
        keeper = begun(LastCheckpoints(tmp_path, keep=1), model)
        for step in steps:
            clock[0] += 7.0
            model.steps_taken.assign(step)
            keeper.on_epoch_end(0, {"val_error": float(step)})
        return checkpoints.scores(checkpoints.latest(tmp_path))

    assert session([1, 2]) == {"val_error": 2.0, "seconds": 14.0}
    clock[0] += 1000.0  # between them
    assert session([3])["seconds"] == 21.0


def test_a_checkpoint_from_before_seconds_were_kept_counts_none(clock, tmp_path):
    model = compiled_pair()
    checkpoints.save(model.state, 0, tmp_path, {"val_error": 1.0})
    keeper = begun(LastCheckpoints(tmp_path, keep=1), model)
    clock[0] += 7.0
    model.steps_taken.assign(1)
    keeper.on_epoch_end(0, {"val_error": 2.0})
    assert checkpoints.scores(checkpoints.latest(tmp_path))["seconds"] == 7.0


def test_a_state_may_be_kept_in_mid_epoch(clock, tmp_path):
    model = compiled_pair()
    keeper = begun(LastCheckpoints(tmp_path, keep=2), model)
    for step in (1, 2, 3):
        clock[0] += 7.0
        model.steps_taken.assign(step)
        keeper.save()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    assert checkpoints.scores(tmp_path / "step-00000003") == {"seconds": 21.0}


@pytest.mark.parametrize(
    ("logs", "is_saturated"),
    [
        ({"real_score": 0.995, "generated_score": 0.004}, True),
        ({"real_score": 0.7, "generated_score": 0.3}, False),
        ({"real_score": 0.995, "generated_score": 0.3}, False),
        ({"real_score": 0.7, "generated_score": 0.004}, False),
        ({}, False),  # of a training without a discriminator
    ],
)
def test_a_discriminator_that_has_won_is_warned_of(warned, logs, is_saturated):
    model = compiled_pair()
    model.steps_taken.assign(40)
    begun(SaturationAlarm("Try this."), model).on_epoch_end(0, logs | {"first_loss": 1.0})
    said = "Step 40: the discriminator saturates: D(real) = 0.995, D(generated) = 0.004. Try this."
    assert warned() == (said if is_saturated else "")


def test_progress_shows_losses_beside_the_bar_and_scores_below(one_device, capsys):
    model, recorder = compiled_pair(), Recorder()
    fit_pair(model, one_device, steps=2)
    fit_pair(model, one_device, Progress(4, ["first_loss"]), recorder, steps=4)
    shown = capsys.readouterr()
    logs = recorder.logs[-1][1]
    assert shown.out == f"step 4  error {logs['val_error']:.4g}\n"
    assert "2/4" in shown.err and "4/4" in shown.err
    of_last_step = recorder.logs[-2][1]["first_loss"]
    assert f"first_loss={of_last_step:.4g}" in shown.err
