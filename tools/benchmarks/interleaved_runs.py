"""Runs cases in turn, each in a process of its own.

One sleeps while another works, so that no library's threads, caches or memory disturb another's.
"""

import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tqdm

from benchmarks import machine
from benchmarks.other_load import AnyLoad

TOOLS = Path(__file__).parents[1]
LIMIT = "matrix product"  # of the comparison's precision, in every comparison
PREPARE_LIMIT = "benchmarks.machine:matrix_product"
LOG_SHOWN = 4000  # last characters shown of what a failed case wrote


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to do something that is measured.

    Attributes:
        name: as the tables show it.
        prepare: "module:function", importable in `tools/`. Called with `options` it returns the
            turn: a function without arguments that does the work once, to its end, and returns
            None or a dict of further numbers.
        options: keyword arguments that JSON can hold.
        work: units of work in a turn; the time per unit is reported.
        baseline: whether ours is compared with it.
        size: of what it works on, in a comparison of sizes.
    """

    name: str
    prepare: str
    options: dict = dataclasses.field(default_factory=dict)
    work: float = 1
    baseline: bool = False
    size: int = 0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Cases that are compared with each other.

    Attributes:
        name: as the tables show it.
        cases: ours comes first.
        precision: "float32" or "bfloat16", of the matrix product it is measured against.
        counted: name of the case whose floating-point operations are counted, one of PyTorch that
            is not compiled; the number is used for all cases. "" for none.
        settings: what the reader must know about it, by name.
        rounds: how many are timed; 0: as many as are asked for.
        warm_up: rounds before them, so that compilation and first allocations are in no median.
        repeatable: whether a disturbed round can be repeated; that of a training that goes on from
            turn to turn cannot, and counts as it is.
        grows_with: what the cases' sizes count, if they differ in nothing else; otherwise "".
    """

    name: str
    cases: list
    precision: str = "float32"
    counted: str = ""
    settings: dict = dataclasses.field(default_factory=dict)
    rounds: int = 0
    warm_up: int = 2
    repeatable: bool = True
    grows_with: str = ""


class Process:
    """The process of a case; it ends with the `with` block."""

    def __init__(self, case):
        self.case = case
        self.seconds, self.told = [], []
        self.first = None  # seconds of the very first turn
        self.peak = None

    def __enter__(self):
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.case_process"],
            cwd=TOOLS,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        asked = {"prepare": self.case.prepare, "options": self.case.options}
        ready = self._ask(json.dumps(asked))
        self.preparation = ready["seconds"]
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()

    def _ask(self, request):
        # Where the process is gone, its log says why.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._log.seek(0)
            told = self._log.read()[-LOG_SHOWN:]
            raise RuntimeError(f"The case {self.case.name!r} failed:\n{told}")
        return json.loads(answer)

    def run_once(self):
        """Runs one turn; returns its seconds per unit of work, and keeps what it reported."""
        answer = self._ask("turn")
        seconds = answer["seconds"] / self.case.work
        self.first = self.first or seconds
        self.peak = answer["peak"]
        self.told.append(answer["told"])
        return seconds

    def count(self):
        """Returns the floating-point operations per unit of work."""
        return self._ask("count")["operations"] / self.case.work

    def result(self):
        """Returns what is reported of this case, in seconds and bytes."""
        lower, median, upper = np.percentile(self.seconds, (25, 50, 75)).tolist()
        return {
            "median": median,
            "quartiles": [lower, upper],
            "seconds": self.seconds,
            "preparation": self.preparation,
            "first": self.first,
            "peak": self.peak,
            "baseline": self.case.baseline,
            "size": self.case.size,
            "told": self.told,
        }


def measure(comparison, rounds, *, seed=0, load=None, limit_side=machine.SIDE):
    """Runs the cases of a comparison once in every round, in an order drawn for the round.

    A round begins when the machine is idle, and counts if it was idle until the end.

    Args:
        comparison: a `Comparison`.
        rounds: how many are timed, if the comparison does not say.
        seed: of the orders.
        load: an `OtherLoad`; by default an `AnyLoad`, with which every round counts.
        limit_side: of the matrices whose product is the machine's limit.

    Returns:
        dict: what the comparison is, `other_load` (cores, beside each round), `disturbed` (the
        number of rounds that did not count), `operations` (per unit of work, or None),
        `operations_of_limit`, `grows_with`, and `cases`: by name what `Process.result` returns, the
        matrix product among them.

    Raises:
        RuntimeError: a case failed, or the machine was busy for too long.
    """
    load = load or AnyLoad()
    limit = Case(LIMIT, PREPARE_LIMIT, {"precision": comparison.precision, "side": limit_side})
    generator = np.random.default_rng(seed)
    load_before = machine.load()
    with contextlib.ExitStack() as stack:
        processes = {}
        for case in (*comparison.cases, limit):
            processes[case.name] = stack.enter_context(Process(case))
            for _ in range(comparison.warm_up):
                processes[case.name].run_once()
        operations = processes[comparison.counted].count() if comparison.counted else None
        count = comparison.rounds or rounds
        progress = tqdm.trange(count, desc=comparison.name, leave=False)
        disturbed = take_rounds(processes, progress, generator, load, comparison.repeatable)
        cases = {name: process.result() for name, process in processes.items()}
    return {
        "name": comparison.name,
        "precision": comparison.precision,
        "settings": comparison.settings,
        "load_before": load_before,
        "other_load": load.seen,
        "disturbed": disturbed,
        "operations": operations,
        "operations_of_limit": 2 * limit_side**3,
        "grows_with": comparison.grows_with,
        "cases": cases,
    }


def take_rounds(processes, rounds, generator, load, repeatable=True):
    """Takes rounds with processes, {name: `Process`}, which keep their times.

    Args:
        rounds: an iterable with an item for each round.
        generator: NumPy's, for the orders.
        load: an `OtherLoad`.
        repeatable: as `Comparison.repeatable`.

    Returns:
        How many rounds were repeated because of other work.
    """
    disturbed = 0
    for _ in rounds:
        seconds, was_idle = _round(processes, generator, load)
        while repeatable and not was_idle:
            disturbed += 1
            seconds, was_idle = _round(processes, generator, load)
        for name, process in processes.items():
            process.seconds.append(seconds[name])
    return disturbed


def _round(processes, generator, load):
    """Runs every process once, in random order; returns {name: seconds} and `load.was_idle()`."""
    load.wait()
    load.begin()
    names = generator.permutation(list(processes)).tolist()
    seconds = {name: processes[name].run_once() for name in names}
    return seconds, load.was_idle()
