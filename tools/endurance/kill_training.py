"""Kills a training at random moments, and compares it with an undisturbed one.

python tools/endurance/kill_training.py --config=configs/inversenet/quickstart.py \
    --output=runs/endurance --kills=20 --config.training.steps=2000 \
    --config.training.steps_per_epoch=20
python tools/endurance/kill_training.py ... --workers=2 --kills=3

Every kill is a SIGKILL: of the process or, with several workers on this machine, of any of
them, after which all are started again. Every third kill waits until a checkpoint is being
written. After every kill all checkpoints must load, and no other worker may have ended with
an error of its own; in the end all variables of the last checkpoint, Adam's moments included,
must equal those of the undisturbed run bit for bit (the training is made deterministic).
Otherwise the status is 1. Writes endurance.json. The training must be long enough for all
the kills.
"""

import random
from pathlib import Path

from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
import training_processes

from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.files.json import write_json

config_flags.DEFINE_config_file("config", lock_config=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory of both runs; must not exist.")
KILLS = flags.DEFINE_integer("kills", 20, "Number of kills.", lower_bound=1)
WORKERS = flags.DEFINE_integer("workers", 1, "Processes that train together.", lower_bound=1)
LONGEST = flags.DEFINE_float("longest", 20.0, "Longest time from start to kill in seconds.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the times of the kills.")
flags.mark_flags_as_required(["config", "output"])


def main():
    output = Path(OUTPUT.value).expanduser()
    if output.exists():
        raise ValueError(f"Expected an --output that does not exist. Received: {output}")
    logs = output / "logs"
    logs.mkdir(parents=True)
    print("The undisturbed run ...")
    train_to_the_end(output / "whole", logs / "whole")
    kills = []
    generator = random.Random(SEED.value)
    for number in tqdm(range(KILLS.value), "kills", unit="kill"):
        left = training_processes.being_written(output / "killed")
        processes = training_processes.start(
            command(output / "killed"), logs / f"kill-{number:02d}", WORKERS.value
        )
        kill = training_processes.kill_once(
            processes,
            output / "killed",
            left,
            seconds=generator.uniform(0.0, LONGEST.value),
            while_writing=number % 3 == 2,
            victim=generator.randrange(WORKERS.value),
        )
        if not kill["was_running"]:
            raise ValueError(f"Expected a training that outlives {KILLS.value} kills, see {logs}")
        kills.append(kill)
    train_to_the_end(output / "killed", logs / "last")
    result = {
        "kills": kills,
        "faults": [fault for kill in kills for fault in training_processes.faults(kill)],
        "variables": len(training_processes.last_variables(output / "whole")),
        "variables_that_differ": training_processes.differences(
            output / "whole", output / "killed"
        ),
        "command": command(output / "killed"),
        "versions": versions(),
    }
    write_json(output / "endurance.json", result)
    print(
        f"{len(kills)} kills, of which {sum(kill['written'] for kill in kills)} while a checkpoint "
        f"was being written; faults: {len(result['faults'])}; of {result['variables']} variables "
        f"{len(result['variables_that_differ'])} differ."
    )
    if result["faults"] or result["variables_that_differ"]:
        raise ValueError(f"The training did not endure, see {output / 'endurance.json'}")


def command(workdir):
    """Returns the command of the training, as arguments of Python."""
    config = flags.FLAGS["config"]
    overrides = config_flags.get_override_values(config) | {"training.deterministic": True}
    return [
        str(Path(__file__).parents[1] / "train.py"),
        f"--config={config_flags.get_config_filename(config)}",
        *(f"--config.{field}={value}" for field, value in overrides.items()),
        f"--workdir={workdir}",
    ]


def train_to_the_end(workdir, log):
    processes = training_processes.start(command(workdir), log, WORKERS.value)
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise ValueError(f"Expected the training to succeed. Received: {statuses}, see {log}-*.txt")


if __name__ == "__main__":
    run(main)
