"""Measures the package against PyTorch and against the machine, in one run.

pip install ".[bench]"   # in the project
inversenet benchmark --output=runs/benchmark
inversenet benchmark --output=runs/benchmark --sections=training_step,restoration --rounds=40
inversenet benchmark --output=runs/bfloat16 --sections=restoration --leave_out=float32,LiteRT

Writes benchmark.json and benchmark.md into the directory. Comparisons that are there
already are kept, so that the same command goes on after a kill.
"""

import dataclasses
import importlib
from pathlib import Path

from absl import flags, logging

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from benchmarks import interleaved_runs, machine, report
from benchmarks.other_load import AnyLoad, OtherLoad

from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.files.json import read_json, write_json

# Modules of `benchmarks/`, in the order in which they are measured.
SECTIONS = {
    "training_step": "Training step",
    "restoration": "Restoration",
    "tiles": "Restoration in tiles",
    "input_pipeline": "Input pipeline",
    "blind_inversion": "Blind inversion",
    "prior_step": "Training step of a prior",
    "time_to_quality": "Time to quality",
    "scale": "Scale",
}

TINY_SIDE = 256  # of the matrix product, with --tiny

OUTPUT = flags.DEFINE_string("output", None, "Directory for the results.", required=True)
CHOSEN = flags.DEFINE_list("sections", list(SECTIONS), f"Of {', '.join(SECTIONS)}.")
ROUNDS = flags.DEFINE_integer("rounds", 20, "Rounds that are timed.", lower_bound=1)
WORKDIR = flags.DEFINE_string("workdir", "", "Of a trained run to restore with; else untrained.")
ONLY = flags.DEFINE_string(
    "only", "", "Part of the names of the comparisons to measure; empty: all."
)
LEAVE_OUT = flags.DEFINE_list(
    "leave_out",
    [],
    "Parts of the names of comparisons, and of cases, that are not measured: a run that has little "
    "time. Ours comes first in a comparison; without the case that is counted in, no rate is told.",
)
LOADED = flags.DEFINE_boolean(
    "loaded", False, "Count rounds beside other work, too, instead of waiting until it has ended."
)
TINY = flags.DEFINE_boolean("tiny", False, "Sizes of seconds, to try whether it runs.")
flags.register_validator(
    "sections", lambda chosen: set(chosen) <= set(SECTIONS), f"Expected some of {list(SECTIONS)}."
)


def main():
    output = Path(OUTPUT.value).expanduser()
    results = begun(output / "benchmark.json")
    for name in CHOSEN.value:
        section = importlib.import_module(f"benchmarks.{name}")
        settings = dict(section.TINY) if TINY.value else {}
        if WORKDIR.value and name in ("restoration", "tiles"):
            settings["workdir"] = WORKDIR.value
        comparisons = results["sections"].setdefault(SECTIONS[name], [])
        for comparison in section.comparisons(settings):
            if ONLY.value not in comparison.name or is_left_out(comparison.name):
                continue
            comparison = without_what_is_left_out(comparison)
            if comparison.name in [measured["name"] for measured in comparisons]:
                logging.info("%s is there already.", comparison.name)
                continue
            logging.info("Measuring: %s", comparison.name)
            load = AnyLoad() if LOADED.value or TINY.value else OtherLoad()
            side = TINY_SIDE if TINY.value else machine.SIDE
            measured = interleaved_runs.measure(
                comparison, ROUNDS.value, load=load, limit_side=side
            )
            comparisons.append(measured)
            write_json(output / "benchmark.json", results)
            (output / "benchmark.md").write_text(report.markdown(results))
    print(report.markdown(results))


def is_left_out(name):
    """Whether `--leave_out` lists a part of this name."""
    return any(part and part in name for part in LEAVE_OUT.value)


def without_what_is_left_out(comparison):
    """Returns the comparison without the cases that are left out."""
    cases = [case for case in comparison.cases if not is_left_out(case.name)]
    counted = "" if is_left_out(comparison.counted) else comparison.counted
    return dataclasses.replace(comparison, cases=cases, counted=counted)


def begun(path):
    """Returns the results of an earlier run of the same command, or empty ones.

    Raises:
        ValueError: they are of another machine, other versions or another command.
    """
    about = {
        "machine": machine.description(),
        "versions": versions() | machine.versions_of_baselines(),
        "rounds": ROUNDS.value,
        "workdir": WORKDIR.value,
        "tiny": TINY.value,
        "loaded": LOADED.value,
        "leave_out": LEAVE_OUT.value,
    }
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return about | {"sections": {}}
    kept = {"leave_out": []} | read_json(path)  # which earlier versions did not know
    different = [name for name, value in about.items() if kept.get(name) != value]
    if different:
        raise ValueError(
            f"Expected in {path} results of this command on this machine. Received: ones that "
            f"differ in {', '.join(different)}; choose another --output"
        )
    return kept


if __name__ == "__main__":
    run(main)
