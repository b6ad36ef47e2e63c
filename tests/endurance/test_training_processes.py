import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import training_processes
from programs import ROOT, run, training_arguments

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.interruption import EXIT_STATUS


@pytest.fixture
def workdirs(tmp_path):
    """Two work directories with the same checkpoint."""
    state = {"weights": tf.Variable(np.arange(1000.0))}
    for name in ("one", "other"):
        checkpoints.save(state, 3, tmp_path / name / "checkpoints" / "last")
    return tmp_path / "one", tmp_path / "other"


def flip(workdir):
    [data] = workdir.glob("checkpoints/last/*/state.data-*")
    content = bytearray(data.read_bytes())
    content[100] ^= 1
    data.write_bytes(content)


def test_differences_are_found_to_the_bit(workdirs):
    one, other = workdirs
    assert training_processes.differences(one, other) == []
    shutil.rmtree(other / "checkpoints")
    weights = tf.Variable(np.concatenate([[-0.0], np.arange(1.0, 1000.0)]))
    checkpoints.save({"weights": weights}, 3, other / "checkpoints" / "last")
    [name] = training_processes.differences(one, other)
    assert name.startswith("weights/")


def test_unreadable_checkpoints_are_found(workdirs):
    assert training_processes.unreadable(workdirs[0]) == {}
    flip(workdirs[0])
    [(path, reason)] = training_processes.unreadable(workdirs[0]).items()
    assert path.endswith("last/step-00000003") and reason


def test_faults_of_a_kill():
    kill = {"survivors": [0, None, EXIT_STATUS], "unreadable": {}}
    assert training_processes.faults(kill) == []
    kill = {"survivors": [1], "unreadable": {"last/step-00000003": "truncated"}}
    assert training_processes.faults(kill) == [
        "unreadable: last/step-00000003",
        "a surviving worker ended with status 1",
    ]


@pytest.mark.slow
def test_a_training_endures_a_kill(image_folder, tmp_path):
    arguments = [a for a in training_arguments("", image_folder) if "--workdir" not in a]
    output = tmp_path / "endurance"
    done = run(
        "endurance/kill_training",
        *arguments,
        f"--output={output}",
        "--kills=1",
        "--longest=0.1",
        "--config.training.steps=6",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((output / "endurance.json").read_text())
    assert len(result["kills"]) == 1 and result["kills"][0]["was_running"]
    assert result["variables"] > 100 and result["variables_that_differ"] == []
    assert str(ROOT / "tools" / "train.py") in result["command"]
