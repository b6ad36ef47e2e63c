"""Measures whether the memory of a training grows with its image set.

python tools/endurance/measure_memory.py --folder=my/photos
python tools/endurance/measure_memory.py --folder=my/photos --copies=16 --steps=200 \
    --output=memory.json

The same training runs three times, each in a process of its own: on the folder, on a folder
with several links to each of its images, and on a prepared set of the latter.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.engine.workdir import CONFIG_FILE, versions
from inversenet_tf.imaging.data.cache import decoded_bytes
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.listing import list_images

TOOLS = Path(__file__).parents[1]
FOLDER = flags.DEFINE_string("folder", None, "Directory of images.", required=True)
COPIES = flags.DEFINE_integer("copies", 8, "Size of the larger set.", lower_bound=2)
CONFIG = flags.DEFINE_string(
    "config", str(TOOLS.parent / "configs/inversenet/quickstart.py"), "Config file."
)
STEPS = flags.DEFINE_integer("steps", 60, "Training steps.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file for the result.")
MIB = 2**20
TOLD = 20  # lines shown of a process that failed


def link_copies(folder, target, copies):
    """Fills `target` with `copies` links, of different names, to each image of `folder`."""
    for path in list_images(folder):
        for copy in range(copies):
            link = target / f"{copy}" / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.absolute())


def peak_memory(tool, *arguments):
    """Runs one of the tools in a process; returns its peak memory in MiB."""
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, str(TOOLS / tool), *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            told = "".join(output.readlines()[-TOLD:])
            raise ValueError(f"Expected {tool} to succeed. Received: {process.returncode}\n{told}")
    return usage.ru_maxrss / 1024


def training_memory(source, workdir):
    return peak_memory(
        "train.py",
        f"--config={CONFIG.value}",
        f"--workdir={workdir}",
        f"--config.data.train={source}",
        f"--config.training.steps={STEPS.value}",
        f"--config.training.steps_per_epoch={STEPS.value}",
    )


def measure(directory):
    """Returns a list with a dict for each of the three sets, and the config of the trainings."""
    small, large, prepared = (directory / name for name in ("small", "large", "prepared"))
    link_copies(Path(FOLDER.value).expanduser(), small, 1)
    link_copies(Path(FOLDER.value).expanduser(), large, COPIES.value)
    peak_memory("prepare.py", f"--source=folder:{large}", f"--output={prepared}")
    sources = {
        "folder": f"folder:{small}",
        f"folder x{COPIES.value}": f"folder:{large}",
        f"prepared x{COPIES.value}": f"prepared:{prepared}",
    }
    # First, while this process is small: Linux counts a parent's memory as its child's.
    peaks = {
        name: training_memory(source, directory / f"run of {name}")
        for name, source in sources.items()
    }
    config = json.loads((directory / "run of folder" / CONFIG_FILE).read_text())
    del config["data"]["train"]  # differs from set to set
    bytes_of_files = sum(path.stat().st_size for path in list_images(small))
    sets = []
    for name, spec in sources.items():
        source = open_source(spec, TRAINING, config["data"]["channels"])
        sets.append(
            {
                "set": name,
                "images": len(source),
                "files_mib": bytes_of_files * (1 if name == "folder" else COPIES.value) / MIB,
                "decoded_mib": decoded_bytes(source) / MIB,
                "peak_mib": peaks[name],
                "ratio": peaks[name] / peaks["folder"],
            }
        )
    return sets, config


def main():
    with tempfile.TemporaryDirectory() as directory:
        sets, config = measure(Path(directory))
    print(f"{'set':<14}{'images':>9}{'files':>12}{'decoded':>12}{'peak':>12}{'ratio':>8}")
    for row in sets:
        sizes = "".join(f"{row[f'{part}_mib']:>8.0f} MiB" for part in ("files", "decoded", "peak"))
        print(f"{row['set']:<14}{row['images']:>9}{sizes}{row['ratio']:>8.2f}")
    if OUTPUT.value:
        results = {"sets": sets, "steps": STEPS.value, "config": config, "versions": versions()}
        write_json(OUTPUT.value, results)


if __name__ == "__main__":
    run(main)
