"""The programs of `tools/`, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(tool, *arguments):
    """A program to its end."""
    return subprocess.run(
        [sys.executable, f"tools/{tool}.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def training_arguments(workdir, folder, *overrides):
    """Of a run of tools/train.py of seconds: 32-pixel patches, two steps of batch 4."""
    return (
        f"--config={ROOT}/configs/inversenet/quickstart.py",
        f"--workdir={workdir}",
        f"--config.data.train=folder:{folder}",
        f"--config.data.validation=folder:{folder}",
        "--config.data.size=32",
        "--config.network.discriminator_width=4",
        "--config.training.batch_size=4",
        "--config.training.steps=2",
        "--config.training.steps_per_epoch=2",
        *overrides,
    )


def train(workdir, folder, *overrides):
    """Such a run to its end."""
    return run("train", *training_arguments(workdir, folder, *overrides))


def start_training(workdir, folder, *overrides, **options):
    """The process of such a run, which goes on meanwhile; options are those of `Popen`."""
    arguments = training_arguments(workdir, folder, *overrides)
    return subprocess.Popen([sys.executable, "tools/train.py", *arguments], cwd=ROOT, **options)
