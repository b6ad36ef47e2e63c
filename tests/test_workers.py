"""Several worker processes on this machine, as TF_CONFIG describes them to each."""

import json
import os
import re
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from programs import ROOT, train, training_arguments

from inversenet_tf.imaging import checkpoints
from inversenet_tf.imaging.interruption import EXIT_STATUS

# A large epsilon keeps Adam from enlarging the rounding noise of gradients that are zero in truth.
SETTINGS = (
    "--config.training.precision=float32", "--config.training.steps=16",
    "--config.training.steps_per_epoch=4", "--config.optimizer.schedule=constant",
    "--config.optimizer.epsilon=1.0", "--config.optimizer.learning_rate=0.1",
    "--config.optimizer.clip_norm=1.0",
)  # fmt: skip
PATIENCE = 240  # seconds


@pytest.fixture
def processes():
    """A list; what is in it and still runs is killed in the end."""
    started = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def start_workers(workdir, folder, processes):
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("localhost", 0))
    cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in sockets]}
    for each in sockets:
        each.close()
    command = [sys.executable, "tools/train.py", *training_arguments(workdir, folder, *SETTINGS)]
    for index in range(2):
        task = {"type": "worker", "index": index}
        environment = os.environ | {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}
        with open(f"{workdir}-{index}.txt", "a") as log:
            processes.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            )
    return processes[-2:]


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def weights(workdir):
    """The networks' weights and moving statistics in the last checkpoint."""
    last = checkpoints.latest(workdir / "checkpoints" / "last")
    reader = tf.train.load_checkpoint(str(last / "state"))
    kept = re.compile("(inverter|denoiser|discriminator)(_optimizer/_trainable_variables)?/")
    return {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map() if kept.match(n)}


def test_two_workers_one_of_which_is_killed_equal_one_process(image_folder, tmp_path, processes):
    assert train(tmp_path / "one", image_folder, *SETTINGS).returncode == 0

    workdir = tmp_path / "two"
    chief, worker = start_workers(workdir, image_folder, processes)
    wait_for(lambda: checkpoints.latest(workdir / "checkpoints" / "last") is not None)
    worker.kill()  # SIGKILL, in the second epoch or later
    assert chief.wait(PATIENCE) == EXIT_STATUS
    reached = checkpoints.step_of(checkpoints.latest(workdir / "checkpoints" / "last"))
    assert 0 < reached < 16

    for process in start_workers(workdir, image_folder, processes):
        assert process.wait(PATIENCE) == 0
    assert "Resumed at step" in (tmp_path / "two-1.txt").read_text()  # a worker that reads no files
    one, two = weights(tmp_path / "one"), weights(workdir)
    assert one.keys() == two.keys() and len(one) > 50
    for name, expected in one.items():
        np.testing.assert_allclose(two[name], expected, atol=1e-5, err_msg=name)
    last = checkpoints.latest(workdir / "checkpoints" / "last")
    assert checkpoints.step_of(last) == 16
    scores = checkpoints.scores(last)
    for network in ("inverter", "denoiser", "discriminator"):
        assert scores[f"{network}_clipped"] > 0
