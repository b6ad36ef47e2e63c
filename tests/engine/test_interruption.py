import os
import signal
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from programs import start_training, train

from inversenet_tf import training
from inversenet_tf.callbacks import AnnealingSnapshots
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.interruption import EXIT_STATUS, Interrupted, Interruption


@pytest.fixture
def handler():
    """A handler of SIGTERM that a program may have, and which notes its calls."""
    calls = []
    before = signal.signal(signal.SIGTERM, lambda *arguments: calls.append(arguments))
    yield calls
    signal.signal(signal.SIGTERM, before)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_is_noted_while_it_is_open_and_only_then(handler):
    with Interruption() as interruption:
        assert not interruption.requested
        terminate()
        assert interruption.requested and not handler
    terminate()
    assert len(handler) == 1
    with pytest.raises(KeyError), Interruption() as interruption:
        raise KeyError
    terminate()
    assert len(handler) == 2 and not interruption.requested


@pytest.fixture
def ctrl_c_is_heeded():
    """Also where the tests run in the background, whose programs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_is_ignored_stays_ignored(ctrl_c_is_heeded):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
    assert not interruption.requested


def test_ctrl_c_is_noted_and_ends_it_the_second_time(ctrl_c_is_heeded):
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_other_threads_leave_signals_alone(handler):
    seen = []

    def work():
        with Interruption() as interruption:
            terminate()
            seen.append(interruption.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False] and len(handler) == 1


def contents(workdir, step):
    """All that the last checkpoint holds, by name."""
    path = checkpoints.latest(workdir / "checkpoints" / "last")
    assert checkpoints.step_of(path) == step
    reader = tf.train.load_checkpoint(str(path / "state"))
    names = [n for n in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in n]
    assert len(names) > 100
    return {name: reader.get_tensor(name) for name in names}


def test_a_training_that_is_asked_to_end_is_saved_and_goes_on_to_the_same_bits(
    small_config, tmp_path, monkeypatch, handler
):
    """Without the adversary, for time; `test_tools.py` has one with it killed."""
    small_config.loss.adversarial_weight = 0.0
    small_config.training.deterministic = True
    small_config.training.steps, small_config.training.steps_per_epoch = 8, 4
    small_config.runtime.annealing_snapshots = True

    def terminate_at_first(keeper, batch, logs=None):
        if keeper.model.step == 1:
            terminate()

    with monkeypatch.context() as patch:
        patch.setattr(AnnealingSnapshots, "on_train_batch_end", terminate_at_first)
        with pytest.raises(Interrupted, match="Interrupted at step 2 of 8 and saved"):
            training.train(small_config, tmp_path / "cut")
    assert not handler
    terminate()
    assert len(handler) == 1
    assert contents(tmp_path / "cut", step=2)
    training.train(small_config, tmp_path / "cut")
    training.train(small_config, tmp_path / "whole")
    expected, resumed = (contents(tmp_path / name, step=8) for name in ("whole", "cut"))
    assert resumed.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value, name)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_asked_to_end_says_so_and_then_goes_on(
    number, tmp_path, image_folder, ctrl_c_is_heeded
):
    """By the smallest network: what is trained does not matter here."""
    workdir, said = tmp_path / "run", tmp_path / "said.txt"
    options = (
        "--config.network.depth=1",
        "--config.network.denoiser=none",
        "--config.loss.adversarial_weight=0.0",
        "--config.training.steps=100",
        "--config.training.steps_per_epoch=100",
        "--config.training.precision=float32",
        "--config.runtime.annealing_snapshots=True",  # of which the first says that it has begun
    )
    with said.open("w") as stderr:
        process = start_training(workdir, image_folder, *options, stderr=stderr)
    while not list(workdir.glob("annealing/step-*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(timeout=600) == EXIT_STATUS == 138
    step = checkpoints.step_of(checkpoints.latest(workdir / "checkpoints" / "last"))
    assert 1 < step < 100
    assert f"Interrupted at step {step} of 100 and saved." in said.read_text()
    if number == signal.SIGINT:
        return  # it goes on as after the other signal
    resumed = train(workdir, image_folder, *options)
    assert resumed.returncode == 0, resumed.stderr
    assert f"Resumed at step {step} of 100." in resumed.stderr
    assert checkpoints.latest(workdir / "checkpoints" / "last").name == "step-00000100"
