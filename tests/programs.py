"""The programs of `tools/`, run as a user runs them, each in a process of its own.

Importing TensorFlow takes most of the time of a short program. So one process, which has imported
TensorFlow and has done nothing else, becomes each of the programs by forking itself. Whatever is
the project's own is imported by the program.
"""

import contextlib
import functools
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).parents[1]


@functools.cache
def _forking():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras"])
    return context


def leave_graphs_as_traced():
    """TensorFlow then runs graphs without rewriting them first, which a few steps never repay.

    They compute the same but for the rounding. `make test-all` has them rewritten, as users have.
    """
    if "REWRITTEN_GRAPHS" not in os.environ:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@contextlib.contextmanager
def without_tracing():
    """Functions run operation by operation, which takes less time for a few steps than tracing.

    Exports are graphs, and are traced all the same.
    """
    from inversenet_tf.exporting import inversenet as exporting

    write = exporting.write_version

    def traced(*arguments, **options):
        with _running(eagerly=False):
            return write(*arguments, **options)

    with (
        _running(eagerly="REWRITTEN_GRAPHS" not in os.environ),
        unittest.mock.patch.object(exporting, "write_version", traced),
    ):
        yield


@contextlib.contextmanager
def _running(eagerly):
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(eagerly)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


class Program:
    """A running `python SCRIPT ARGUMENTS`, with the methods of a `subprocess.Popen`.

    Args:
        command: the script, a path below the project's directory, and its arguments.
        stdout, stderr: open files that have names.
        env: the environment; by default that of this process.
    """

    def __init__(self, command, stdout, stderr, env=None):
        command, files = [str(part) for part in command], (stdout.name, stderr.name)
        environment = dict(os.environ if env is None else env)
        self._process = _forking().Process(target=_become, args=(command, environment, files))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    poll = returncode.fget

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("the program", timeout)
        return self.returncode

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def popen(command, env=None, stdout=None, stderr=subprocess.STDOUT):
    """In the place of `subprocess.Popen`, for commands of this Python that write to files."""
    assert command[0] == sys.executable
    return Program(command[1:], stdout, stdout if stderr == subprocess.STDOUT else stderr, env)


def _become(command, environment, files):
    """In the forked process: what `python SCRIPT ARGUMENTS` does."""
    for number, name in enumerate(files, start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), number)
    # Where the tests run in the background, a shell has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    script = ROOT / command[0]
    others = [path for path in sys.path if not _is_of_the_tests(Path(path))]
    sys.path[:] = [str(script.parent), *others, str(ROOT)]
    sys.argv[:] = command
    if command[0] == "tools/train.py":  # the others are run as a user runs them
        leave_graphs_as_traced()
    runpy.run_path(str(script), run_name="__main__")


def _is_of_the_tests(path):
    """Whether a path of imports is the project's; its environment may lie in the project."""
    above = (path, *path.parents)
    return ROOT in above and Path(sys.prefix) not in above


def run(tool, *arguments):
    """A program to its end."""
    return completed([f"tools/{tool}.py", *arguments])


def run_isolated(command, **options):
    """In the place of `subprocess.run`, for `python -I SCRIPT ARGUMENTS`."""
    if command[:2] != [sys.executable, "-I"]:
        return subprocess.run(command, **options)
    return completed(command[2:])


def completed(command):
    """`python SCRIPT ARGUMENTS` to its end, as a `subprocess.CompletedProcess` with texts."""
    with tempfile.NamedTemporaryFile("r") as stdout, tempfile.NamedTemporaryFile("r") as stderr:
        status = Program(command, stdout, stderr).wait()
        return subprocess.CompletedProcess(command, status, stdout.read(), stderr.read())


def training_arguments(workdir, folder, *overrides):
    """Of a run of tools/train.py of seconds: small networks, two steps of four 32-pixel patches."""
    return (
        f"--config={ROOT}/configs/inversenet/quickstart.py",
        f"--workdir={workdir}",
        f"--config.data.train=folder:{folder}",
        f"--config.data.validation=folder:{folder}",
        "--config.data.size=32",
        "--config.network.depth=2",
        "--config.network.width=16",
        "--config.network.denoiser=dae",
        "--config.network.dae_factor=8",
        "--config.loss.adversarial_weight=1.0",
        "--config.network.discriminator_width=4",
        "--config.loss.pretraining_fraction=0.0",
        "--config.training.batch_size=4",
        "--config.training.steps=2",
        "--config.training.steps_per_epoch=2",
        *overrides,
    )


# Of a longer one, which others are held against: a large epsilon keeps Adam from upsampling the
# rounding noise of gradients that are zero in truth.
TWELVE_STEPS = (
    "--config.training.precision=float32",
    "--config.training.steps=12",
    "--config.training.steps_per_epoch=3",
    "--config.optimizer.schedule=constant",
    "--config.optimizer.epsilon=1.0",
    "--config.optimizer.learning_rate=0.1",
    "--config.optimizer.clip_norm=1.0",
)


def train(workdir, folder, *overrides):
    """Such a run to its end."""
    return run("train", *training_arguments(workdir, folder, *overrides))


def start_training(workdir, folder, *overrides, stderr):
    """The process of such a run, which goes on meanwhile and writes to `stderr`, an open file."""
    arguments = training_arguments(workdir, folder, *overrides)
    return Program(["tools/train.py", *arguments], stderr, stderr)
