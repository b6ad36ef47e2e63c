"""Two worker processes on this machine, as TF_CONFIG describes them to each."""

import re
import time

import numpy as np
import pytest
import training_processes
from programs import TWELVE_STEPS, popen, training_arguments

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.interruption import EXIT_STATUS
from inversenet_tf.engine.session import LAST
from inversenet_tf.engine.workdir import CHECKPOINTS

PATIENCE = 900  # seconds, for machines that do other work, too
WEIGHTS = re.compile("(inverter|denoiser|discriminator)(_optimizer/_trainable_variables)?/")


@pytest.fixture
def start_two(shared_image_folder, tmp_path, monkeypatch):
    """Function that starts the training by two workers; those that still run are killed."""
    monkeypatch.setattr(training_processes.subprocess, "Popen", popen)
    started = []

    def start(log):
        arguments = training_arguments(tmp_path / "two", shared_image_folder, *TWELVE_STEPS)
        started.extend(training_processes.start(["tools/train.py", *arguments], log, workers=2))
        return started[-2:]

    yield start
    for process in started:
        process.kill()
        process.wait()


def last(workdir):
    return checkpoints.latest(workdir / CHECKPOINTS / LAST)


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def weights(workdir):
    """The networks' weights and moving statistics in the last checkpoint."""
    variables = training_processes.last_variables(workdir)
    return {name: array for name, array in variables.items() if WEIGHTS.match(name)}


def assert_whole_and_equal(two, one):
    """Two workers' work directory at the end, against that of one process."""
    assert checkpoints.step_of(last(two)) == 12
    expected, shared = weights(one), weights(two)
    assert shared.keys() == expected.keys() and len(shared) > 50
    for name in expected:
        np.testing.assert_allclose(shared[name], expected[name], atol=1e-5, err_msg=name)
    scores = checkpoints.scores(last(two))
    for network in ("inverter", "denoiser", "discriminator"):
        assert scores[f"{network}_clipped"] > 0


def test_two_workers_equal_one_process(undisturbed_run, tmp_path, start_two):
    assert [p.wait(PATIENCE) for p in start_two(tmp_path / "log")] == [0, 0]
    assert_whole_and_equal(tmp_path / "two", undisturbed_run)


@pytest.mark.slow
def test_two_workers_one_of_which_is_killed_equal_one_process(undisturbed_run, tmp_path, start_two):
    two = tmp_path / "two"
    chief, worker = start_two(tmp_path / "first")
    wait_for(lambda: last(two) is not None)
    worker.kill()  # in the second epoch or later
    assert chief.wait(PATIENCE) == EXIT_STATUS
    assert 0 < checkpoints.step_of(last(two)) < 12

    assert [p.wait(PATIENCE) for p in start_two(tmp_path / "again")] == [0, 0]
    assert "Resumed at step" in (tmp_path / "again-1.txt").read_text()  # reads no files itself
    assert_whole_and_equal(two, undisturbed_run)
