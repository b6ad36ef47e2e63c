"""The trainings behind the paper's tables: named, cached, resumable, with equal budgets."""

import dataclasses
from pathlib import Path

from absl import logging

from inversenet_tf import recipes
from inversenet_tf.budget import seconds_per_step, steps_within
from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.workdir import CHECKPOINTS, CONFIG_FILE, open_workdir, read_config
from inversenet_tf.imaging.files.json import read_json, write_json
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.wording import counted
from inversenet_tf.paper.image_sets import image_set
from inversenet_tf.paper.loss_shares import feature_share
from inversenet_tf.training import train

SPEEDS_FILE = "seconds_per_step.json"


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What all trainings of a table share.

    Attributes:
        output: directory for everything that is written.
        minutes: budget of each training on this machine.
        root: directory of the user's image folders; None for tensorflow-datasets.
        noise: standard deviation of the measurements' noise, in units of [0, 1].
        comparator_weights: file of SqueezeNet's weights; "" trains without a comparator.
        limit: number of held-out images to measure; None for all.
    """

    output: Path
    minutes: float
    root: Path | None = None
    noise: float = 0.0
    comparator_weights: str = ""
    limit: int | None = None

    @property
    def name(self):
        """Part of the name of everything that is written."""
        noise = f"noise{self.noise:g}" if self.noise else "clean"
        comparator = "-squeezenet" if self.comparator_weights else ""
        return f"{noise}{comparator}-{self.minutes:g}min"


@dataclasses.dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        task: name in `TASKS`.
        data: name in `IMAGE_SETS`.
        method: name in `recipes.TRAINED`.
        conditions: `Conditions`.
        size: of the training images or patches; 0: the task's own.
        seed: of the training.
    """

    task: str
    data: str
    method: str
    conditions: Conditions
    size: int = 0
    seed: int = 0

    @property
    def name(self):
        """A name that is unique to this training within an output directory."""
        parts = [self.task, self.data, self.method, self.conditions.name]
        parts += [f"size{self.size}"] if self.size else []
        parts += [f"seed{self.seed}"] if self.seed else []
        return "-".join(parts)

    @property
    def workdir(self):
        """The work directory of this training."""
        return self.conditions.output / "runs" / self.name

    def config(self, steps=None):
        """The `Config` for a number of steps, by default the recipe's.

        Raises:
            ValueError: the data set cannot be trained on, or its folders are missing.
        """
        config = TASKS[self.task]()
        if self.size:
            config.data.size = self.size
        recipes.for_two_cores(config)
        recipes.compared_from_the_start(config)
        if self.conditions.comparator_weights:
            recipes.compared_by_squeezenet(config, self.conditions.comparator_weights)
        image_set(self.data).apply(config, self.conditions.root)
        config.noise.gaussian_sigma = self.conditions.noise
        config.training.seed = self.seed
        config.training.steps = steps or config.training.steps
        recipes.TRAINED[self.method](config)
        config.validate()
        return config

    def run(self):
        """Trains, resumes an interrupted training, or returns if it is finished.

        Raises:
            ValueError: the work directory holds a training with another config.
        """
        if (self.workdir / CONFIG_FILE).exists():
            steps = read_config(self.workdir, Config).training.steps
            with held(self.workdir):  # raises for another experiment
                open_workdir(self.workdir, self.config(steps), free=("runtime",))
            if self._last is not None and checkpoints.step_of(self._last) == steps:
                return
        else:
            config = self.config()
            steps = steps_within(config, self.conditions.minutes, self._seconds_per_step(config))
        logging.info("%s: %s.", self.name, counted(steps, "step"))
        config = self.config(steps)
        # For the figure of table 1, whichever table needs this training first.
        config.runtime.annealing_snapshots = (self.task, self.method) == ("deblur", "inversenet")
        train(config, self.workdir)

    def _seconds_per_step(self, config):
        """Measured once for all data sets, seeds and noise levels, whose steps cost the same."""
        path = self.conditions.output / SPEEDS_FILE
        speeds = read_json(path) if path.exists() else {}
        kind = f"{self.task}-{self.method}-size{config.data.size}-{config.loss.comparator}"
        if kind not in speeds:
            speeds[kind] = seconds_per_step(config)
            write_json(path, speeds)
        return speeds[kind]

    def provenance(self):
        """What results report of this training: name, steps, seconds, lambda_f's share, config."""
        return {
            "run": self.name,
            "steps": checkpoints.step_of(self._last),
            "seconds": checkpoints.scores(self._last)["seconds"],
            "feature_share": feature_share(self.workdir),
            "config": dataclasses.asdict(read_config(self.workdir, Config)),
        }

    @property
    def _last(self):
        """The newest checkpoint, or None."""
        return checkpoints.latest(self.workdir / CHECKPOINTS / "last")


def _super_resolution(kernel_size):
    """Section 4.2 on patches of 64 pixels, which two cores can train. Paper: 256."""
    config = recipes.super_resolution(kernel_size)
    config.data.size = 64
    return config


TASKS = {
    "deblur": recipes.motion_deblur,
    "sr7": lambda: _super_resolution(7),
    "sr3": lambda: _super_resolution(3),
    "joint": recipes.joint,  # Paper: 128 pixels for CUB; here: 64 for all
}
