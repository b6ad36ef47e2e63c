"""Feeds mutated files to the readers of untrusted files, and reports those handled badly.

python tools/endurance/fuzz.py --rounds=20000
python tools/endurance/fuzz.py --kinds=matlab,hdf5 --rounds=2000 --seed=7

Each kind is read in a process of its own, as a file may end it. A finding is an error other
than the package's own (ValueError), one of several lines, a read that takes more than 5 s of
processor time or 60 s in all, a process that ends, or memory beyond --max_memory. The file is
kept in --output.
"""

import resource
import subprocess
import sys
from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from hostile_files import KINDS, findings

from inversenet_tf.imaging.files.memory import memory_limit

ROUNDS = flags.DEFINE_integer("rounds", 2000, "Files of each kind.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "The same seed makes the same files.")
KINDS_FLAG = flags.DEFINE_list("kinds", None, "Kinds of files; default: all.")
OUTPUT = flags.DEFINE_string("output", "fuzz_findings", "Directory for files with findings.")
MAX_MEMORY = flags.DEFINE_string("max_memory", "2GiB", "Memory growth allowed per kind.")
IN_PROCESS = flags.DEFINE_bool("in_process", False, "Read here: what the program starts itself.")


def _read_here(name, output):
    """Writes the findings of one kind to `output`; runs in the process of `_read_apart`."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, (content, wrong) in enumerate(
        findings(KINDS[name], ROUNDS.value, SEED.value, output / f"{name}-reading")
    ):
        (output / f"{name}-{SEED.value}-{number}").write_bytes(content)
        print(f"{name}-{SEED.value}-{number}: {wrong[:300]!r}", flush=True)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > memory_limit(MAX_MEMORY.value):
        print(f"{name}: took {grown / 2**20:.0f} MiB", flush=True)
    (output / f"{name}-reading").unlink(missing_ok=True)


def _read_apart(name, output):
    """Runs the same in a process of its own; returns the lines it prints, and how it ended."""
    arguments = [f"--kinds={name}", f"--rounds={ROUNDS.value}", f"--seed={SEED.value}"]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, f"--output={output}", "--in_process"],
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = done.stdout.splitlines()
    if done.returncode:
        lines.append(f"{name}-reading: ends the process with status {done.returncode}")
    return lines


def main():
    output = Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    names = KINDS_FLAG.value or list(KINDS)
    unknown = set(names) - KINDS.keys()
    if unknown:
        raise ValueError(f"Expected kinds from {tuple(KINDS)}. Received: {sorted(unknown)}")
    if IN_PROCESS.value:
        for name in names:
            _read_here(name, output)
        return
    findings = 0
    for name in names:
        lines = _read_apart(name, output)
        findings += len(lines)
        print(
            "\n".join([f"{name}: {ROUNDS.value} files, {len(lines)} findings", *lines]), flush=True
        )
    if findings:
        raise ValueError(f"Expected every file to end in one line. Received: {findings} findings")


if __name__ == "__main__":
    run(main)
