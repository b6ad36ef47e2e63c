import contextlib
import gc
import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine.toys import adam, compiled_pair, fit_pair, values

from inversenet_tf.engine import checkpoints


def state_of(value):
    """A state of two variables, many numbers and one."""
    many = tf.Variable(np.full(1000, value, np.float32))
    return {"many": many, "one": tf.Variable(float(value))}


def saved(directory, *steps, keep=9):
    """Checkpoints of which each holds its step."""
    for step in steps:
        checkpoints.save(state_of(step), step, directory, {"seconds": float(step)}, keep)


def restored(directory):
    """(the path, the number that it holds)"""
    state = state_of(-1.0)
    path = checkpoints.restore(state, directory)
    assert len(set(state["many"].numpy()) | {state["one"].numpy()}) == 1
    return path, float(state["one"].numpy())


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_the_last_few_are_kept(tmp_path):
    saved(tmp_path, 1, 2, 3, keep=3)
    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]
    saved(tmp_path, 4, 200, keep=3)
    assert names(tmp_path) == ["step-00000003", "step-00000004", "step-00000200"]
    assert checkpoints.step_of(checkpoints.latest(tmp_path)) == 200
    assert checkpoints.scores(tmp_path / "step-00000004") == {"seconds": 4.0}
    assert restored(tmp_path) == (tmp_path / "step-00000200", 200.0)
    saved(tmp_path, 201, keep=1)
    assert names(tmp_path) == ["step-00000201"]


def test_there_may_be_none(tmp_path):
    assert checkpoints.latest(tmp_path / "none") is None
    assert checkpoints.restore(state_of(1.0), tmp_path / "none") is None
    assert checkpoints.restore_part(state_of(1.0), tmp_path / "none") is None
    assert checkpoints.last_scores(tmp_path / "none") == {}


def test_a_step_can_be_saved_anew(tmp_path):
    saved(tmp_path, 1, 2)
    checkpoints.save(state_of(7.0), 2, tmp_path, {"seconds": 7.0}, keep=2)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]
    assert restored(tmp_path)[1] == 7.0
    assert checkpoints.last_scores(tmp_path) == {"seconds": 7.0}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "shutil.rmtree"])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_kill_while_a_step_is_saved_anew_leaves_a_checkpoint(tmp_path, monkeypatch, call, keep):
    """At whichever call of these it comes."""
    module, name = {"os": os, "shutil": shutil}[call.split(".")[0]], call.split(".")[1]
    original, calls, killed_at = getattr(module, name), [], 0

    def counted(*arguments, **options):
        calls.append(arguments)
        if len(calls) > killed_at:
            raise Killed
        return original(*arguments, **options)

    ended = False
    while not ended:
        directory = tmp_path / str(killed_at)
        saved(directory, 1, 2, keep=keep)
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(module, name, counted)
            with contextlib.suppress(Killed):
                checkpoints.save(state_of(7.0), 2, directory, keep=keep)
                ended = True
        assert checkpoints.step_of(checkpoints.latest(directory)) == 2
        assert restored(directory)[1] in (2.0, 7.0)
        checkpoints.save(state_of(8.0), 2, directory, keep=keep)
        assert restored(directory) == (directory / "step-00000002", 8.0)
        assert names(directory) == ["step-00000001", "step-00000002"][-keep:]
        killed_at += 1
    assert killed_at > 1


def data_file(checkpoint):
    [path] = checkpoint.glob("state.data-*")
    return path


def truncate(checkpoint):
    path = data_file(checkpoint)
    path.write_bytes(path.read_bytes()[:-100])


def flip(checkpoint):
    """One bit in the middle of the numbers."""
    path = data_file(checkpoint)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated data": truncate,
    "flipped data": flip,
    "no data": lambda checkpoint: data_file(checkpoint).unlink(),
    "empty index": lambda checkpoint: (checkpoint / "state.index").write_bytes(b""),
    "no index": lambda checkpoint: (checkpoint / "state.index").unlink(),
    "no scores": lambda checkpoint: (checkpoint / "scores.json").unlink(),
    "empty scores": lambda checkpoint: (checkpoint / "scores.json").write_text(""),
    "nothing": lambda checkpoint: [path.unlink() for path in checkpoint.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_one_is_set_aside_for_the_one_before(tmp_path, damage, warned):
    saved(tmp_path, 1, 2, 3)
    DAMAGES[damage](tmp_path / "step-00000003")
    assert restored(tmp_path) == (tmp_path / "step-00000002", 2.0)
    assert f"Cannot read the checkpoint {tmp_path / 'step-00000003'}: " in warned()
    assert "Taken instead: step-00000002" in warned()
    assert names(tmp_path) == ["damaged-step-00000003", "step-00000001", "step-00000002"]
    for _ in range(2):  # its step can be saved again, and be damaged again
        saved(tmp_path, 3)
        assert restored(tmp_path) == (tmp_path / "step-00000003", 3.0)
        DAMAGES[damage](tmp_path / "step-00000003")
        assert restored(tmp_path)[1] == 2.0


def test_the_first_whole_one_of_several_is_taken(tmp_path, warned):
    saved(tmp_path, 1, 2, 3)
    for step in (2, 3):
        flip(tmp_path / f"step-0000000{step}")
    assert restored(tmp_path)[1] == 1.0
    assert warned().count("Taken instead: step-00000001") == 2
    assert names(tmp_path) == ["damaged-step-00000002", "damaged-step-00000003", "step-00000001"]


@pytest.mark.parametrize("read", [checkpoints.restore, checkpoints.restore_part])
def test_where_all_are_damaged_nothing_is_removed(tmp_path, read):
    saved(tmp_path, 1, 2)
    for step in (1, 2):
        flip(tmp_path / f"step-0000000{step}")
    message = f"Cannot read the checkpoint {tmp_path / 'step-00000002'}: "
    with pytest.raises(OSError, match=message):
        read(state_of(0.0), tmp_path)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_a_part_is_read_without_a_change_to_the_directory(tmp_path, warned):
    saved(tmp_path, 1, 2)
    flip(tmp_path / "step-00000002")
    part = {"many": tf.Variable(np.zeros(1000, np.float32))}
    assert checkpoints.restore_part(part, tmp_path) == tmp_path / "step-00000001"
    np.testing.assert_array_equal(part["many"], np.ones(1000))
    assert "Taken instead: step-00000001" in warned()
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_a_kill_in_the_middle_of_a_removal_leaves_whole_ones(tmp_path, monkeypatch):
    def killed(path, **options):
        next(path.glob("state*")).unlink()
        raise KeyboardInterrupt

    saved(tmp_path, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            saved(tmp_path, 3, keep=2)
    whole = [path for path in tmp_path.iterdir() if path.name.startswith("step-")]
    assert len(whole) >= 2
    for path in whole:
        alone = tmp_path.parent / f"{tmp_path.name}-{path.name}"
        shutil.copytree(path, alone / path.name)
        assert restored(alone)[1] == checkpoints.step_of(path)
    assert restored(tmp_path)[1] == 3.0
    saved(tmp_path, 4, keep=2)
    assert names(tmp_path) == ["step-00000003", "step-00000004"]


def test_an_interrupted_checkpoint_is_never_seen(tmp_path, monkeypatch):
    saved(tmp_path, 1)
    with monkeypatch.context() as patch:
        # The kill: all is written, but not yet under its name.
        patch.setattr("inversenet_tf.imaging.files.atomic.os.replace", None)
        with pytest.raises(TypeError):
            saved(tmp_path, 7)
    assert checkpoints.latest(tmp_path).name == "step-00000001"
    saved(tmp_path, 7, keep=1)
    assert names(tmp_path) == ["step-00000007"]


@pytest.mark.parametrize(
    "other",
    [
        {"many": tf.zeros(1000)},
        {"many": tf.zeros(1000), "one": 0.0, "two": 0.0},
        {"many": tf.zeros(999), "one": 0.0},
    ],
)
def test_a_state_of_another_form_is_refused(tmp_path, other):
    saved(tmp_path, 1)
    state = {name: tf.Variable(value) for name, value in other.items()}
    with pytest.raises(OSError, match="Cannot read the checkpoint .*step-00000001: "):
        checkpoints.restore(state, tmp_path)
    assert names(tmp_path) == ["step-00000001"]


def test_scores_are_json(tmp_path):
    checkpoints.save(state_of(0.0), 0, tmp_path)
    assert json.loads((tmp_path / "step-00000000" / "scores.json").read_text()) == {}


@pytest.mark.parametrize("damage", ["no scores", "empty scores", "nothing"])
def test_scores_that_cannot_be_read_are_none(tmp_path, damage, warned):
    saved(tmp_path, 1, 2)
    assert checkpoints.last_scores(tmp_path) == {"seconds": 2.0}
    DAMAGES[damage](tmp_path / "step-00000002")
    assert checkpoints.last_scores(tmp_path) == {}
    assert f"scores of the checkpoint {tmp_path / 'step-00000002'}: " in warned()


def scaled_adam(factor):
    return keras.optimizers.LossScaleOptimizer(adam(factor), initial_scale=8.0)


@pytest.mark.parametrize("optimizer", [adam, scaled_adam])
def test_a_training_comes_back_whole(tmp_path, one_device, optimizer):
    model = compiled_pair(optimizer, dropout=0.5)
    fit_pair(model, one_device)
    model.learning_rate_factor.assign(0.5)
    checkpoints.save(model.state, model.step, tmp_path)
    other = compiled_pair(optimizer, dropout=0.5)
    checkpoints.restore(other.state, tmp_path)
    kept = values(model)
    assert {"steps_taken", "epochs_ended", "learning_rate_factor"} <= kept.keys()
    assert any("momentum" in name for name in kept) and any("seed" in name for name in kept)
    assert any("scale" in name for name in kept) == (optimizer is scaled_adam)
    for name, value in kept.items():
        np.testing.assert_array_equal(values(other)[name], value, name)


def test_random_layers_go_on_where_they_were(tmp_path, one_device):
    """Keras itself does not let checkpoints see the seeds of a Dropout layer."""
    model = compiled_pair(dropout=0.5)
    fit_pair(model, one_device, steps=2)
    checkpoints.save(model.state, 2, tmp_path)
    ones = tf.ones((50, 3))
    expected = [network(ones, training=True) for network in model.networks.values()]
    assert all(len(np.unique(outputs)) > 10 for outputs in expected)
    for other in (model, compiled_pair(dropout=0.5)):
        checkpoints.restore(other.state, tmp_path)
        answers = [network(ones, training=True) for network in other.networks.values()]
        np.testing.assert_array_equal(answers, expected)


def test_a_state_that_does_not_fit_is_told_in_one_line(tmp_path, caplog):
    """And not in one for every value that TensorFlow has left over."""
    many = {f"number_{index}": tf.Variable(1.0) for index in range(50)}
    checkpoints.save(many, 1, tmp_path)
    for restore in (checkpoints.restore, checkpoints.restore_part):
        with pytest.raises(OSError, match="Cannot read the checkpoint") as fault:
            restore({"other": tf.Variable(1.0)}, tmp_path)
        gc.collect()
        assert "\n" not in str(fault.value) and len(str(fault.value)) < 600
        assert not caplog.messages


@pytest.mark.parametrize("content", ["[]", "3", "[" * 100_000, ""])
def test_scores_that_were_edited(tmp_path, caplog, content):
    saved(tmp_path, 1, 2)
    (tmp_path / "step-00000002" / "scores.json").write_text(content)
    assert checkpoints.last_scores(tmp_path) == {}
    assert "Cannot read the scores" in caplog.text
    assert restored(tmp_path) == (tmp_path / "step-00000001", 1.0)
