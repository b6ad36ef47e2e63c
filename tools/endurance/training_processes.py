"""Starts, kills and compares trainings that run as processes on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import tensorflow as tf

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.interruption import EXIT_STATUS
from inversenet_tf.engine.session import LAST
from inversenet_tf.engine.strategies import TF_CONFIG
from inversenet_tf.engine.workdir import CHECKPOINTS

POLL = 0.005  # seconds; a checkpoint is written in some tens of milliseconds
PATIENCE = 60.0  # seconds for the other workers to notice
GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # an entry of every checkpoint that holds no numbers


def start(command, log, workers=1):
    """Starts a training of `workers` processes, which write to `LOG-0.txt` and so on."""
    cluster = {"worker": [f"localhost:{port}" for port in _free_ports(workers)]}
    processes = []
    for index in range(workers):
        environment = dict(os.environ)
        if workers > 1:
            task = {"type": "worker", "index": index}
            environment[TF_CONFIG] = json.dumps({"cluster": cluster, "task": task})
        with open(f"{log}-{index}.txt", "w") as file:
            process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=file, stderr=subprocess.STDOUT
            )
        processes.append(process)
    return processes


def _free_ports(count):
    """Returns `count` ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def kill_once(processes, workdir, left, seconds, while_writing, victim):
    """Kills one of a training's processes, if it is still running.

    Args:
        processes: of `start`.
        workdir: of the training.
        left: what `being_written` found before the start.
        seconds: to wait.
        while_writing: whether to wait on until a checkpoint is being written.
        victim: index of the process.

    Returns:
        dict: `step` of the newest checkpoint; `was_running`, whether all processes still were;
        `written`, whether a checkpoint was left half written; `survivors`, the exit statuses of the
        other processes (None for one that had to be killed, too); and the checkpoints that are
        `unreadable`.
    """

    def over():
        return any(process.poll() is not None for process in processes)

    end = time.monotonic() + seconds
    while time.monotonic() < end and not over():
        time.sleep(POLL)
    while while_writing and not over() and not being_written(workdir) - left:
        time.sleep(POLL)
    was_running = not over()
    processes[victim].send_signal(signal.SIGKILL)
    processes[victim].wait()
    survivors = [_end_of(process) for i, process in enumerate(processes) if i != victim]
    last = checkpoints.latest(Path(workdir) / CHECKPOINTS / LAST)
    return {
        "step": None if last is None else checkpoints.step_of(last),
        "was_running": was_running,
        "written": bool(being_written(workdir) - left),
        "survivors": survivors,
        "unreadable": unreadable(workdir),
    }


def _end_of(process):
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def being_written(workdir):
    """The inodes of checkpoints that are not yet under their names, as a set."""
    kinds = (Path(workdir) / CHECKPOINTS).glob("*")
    entries = (entry for kind in kinds for entry in os.scandir(kind))
    return {entry.inode() for entry in entries if entry.name.startswith(".partial-")}


def faults(kill):
    """Lists, a line each, what a `kill_once` showed that must not happen.

    A survivor that was still waiting for the others, before the first step, may wait on: the one
    that was killed would be started again.
    """
    complaints = [f"unreadable: {path}" for path in kill["unreadable"]]
    wrong = [status for status in kill["survivors"] if status not in (None, 0, EXIT_STATUS)]
    return complaints + [f"a surviving worker ended with status {status}" for status in wrong]


def unreadable(workdir):
    """{checkpoint: reason} of the checkpoints of a work directory that do not load."""
    faults = {}
    for path in sorted((Path(workdir) / CHECKPOINTS).glob("*/step-*")):
        try:
            checkpoints.scores(path)
            variables(path)
        except (OSError, ValueError, tf.errors.OpError) as error:
            faults[str(path)] = str(error)
    return faults


def variables(checkpoint):
    """{name: array} of all variables of a checkpoint."""
    reader = tf.train.load_checkpoint(str(checkpoint / "state"))
    names = reader.get_variable_to_shape_map().keys() - {GRAPH}
    return {name: reader.get_tensor(name) for name in names}


def last_variables(workdir):
    """The same for the newest checkpoint of a work directory."""
    return variables(checkpoints.latest(Path(workdir) / CHECKPOINTS / LAST))


def differences(one, other):
    """The names of variables whose bits differ between the last checkpoints of two runs."""
    one, other = last_variables(one), last_variables(other)
    names = sorted(one.keys() | other.keys())
    return [name for name in names if _bytes(one.get(name)) != _bytes(other.get(name))]


def _bytes(array):
    """The bytes of a checkpoint's array, or of a string, which is bytes already."""
    return array.tobytes() if hasattr(array, "tobytes") else array
