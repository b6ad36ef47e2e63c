"""Measures the package against PyTorch and against the machine, in one run.

pip install ".[bench]"   # in the project
inversenet benchmark --output=runs/benchmark
inversenet benchmark --output=runs/benchmark --sections=training_step,restoration --rounds=40
inversenet benchmark --output=runs/bfloat16 --sections=restoration --leave_out=float32,LiteRT

Writes benchmark.json and benchmark.md into the directory. Existing comparisons are kept,
so the same command resumes an interrupted run.
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
CHOSEN = flags.DEFINE_list(
    "sections", list(SECTIONS), f"Sections to run, from {', '.join(SECTIONS)}."
)
ROUNDS = flags.DEFINE_integer("rounds", 20, "Number of timed rounds.", lower_bound=1)
WORKDIR = flags.DEFINE_string("workdir", "", "Trained run to restore with; default: untrained.")
ONLY = flags.DEFINE_string(
    "only", "", "Measure only comparisons whose names contain this text; empty: all."
)
LEAVE_OUT = flags.DEFINE_list(
    "leave_out",
    [],
    "Skip comparisons and cases whose names contain one of these, to save time. Our own case comes "
    "first in a comparison; without the case that operations are counted in, no rate is reported.",
)
LOADED = flags.DEFINE_boolean(
    "loaded",
    False,
    "Measure even while other programs are busy, instead of waiting until they end.",
)
TINY = flags.DEFINE_boolean(
    "tiny", False, "Use tiny sizes that take seconds, to check that it runs."
)
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
                logging.info("%s already exists.", comparison.name)
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
            f"Expected results of this command on this machine in {path}. Received: results that "
            f"differ in {', '.join(different)}; choose another --output"
        )
    return kept


if __name__ == "__main__":
    run(main)
