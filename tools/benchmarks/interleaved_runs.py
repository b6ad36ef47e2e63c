"""Cases that take turns, each in a process of its own.

One sleeps while another works: no library's threads, caches or memory are in the way of another's.
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

TOOLS = Path(__file__).parents[1]
LIMIT = "matrix product"  # of the comparison's precision, in every comparison
LOG_SHOWN = 4000  # characters of what a case wrote before it broke off


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to do something.

    Attributes:
        name: as the tables show it.
        prepare: "module:function", importable in `tools/`. Called with `options` it returns the
            turn: a function without arguments that does the work once, to its end, and returns
            None or a dict of further numbers.
        options: keyword arguments, which JSON can hold.
        work: how much a turn does; what is reported is the time per unit.
        baseline: whether it is what ours is held against.
    """

    name: str
    prepare: str
    options: dict = dataclasses.field(default_factory=dict)
    work: float = 1
    baseline: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared with what.

    Attributes:
        name: as the tables show it.
        cases: ours is the first.
        precision: "float32" or "bfloat16", of the matrix product it is measured against.
        counted: name of the case whose floating-point operations are counted: one of
            PyTorch that is not compiled. They are the comparison's, whoever does them. "" for none.
        settings: what the reader must know of it, by name.
        rounds: that are timed; 0: as many as are asked for.
        warm_up: rounds before them: what is compiled or allocated at first is in no median.
    """

    name: str
    cases: list
    precision: str = "float32"
    counted: str = ""
    settings: dict = dataclasses.field(default_factory=dict)
    rounds: int = 0
    warm_up: int = 2


class Process:
    """A case's process; ends with the `with` block."""

    def __init__(self, case):
        self.case = case
        self.seconds, self.told = [], []
        self.first = None  # seconds of the first turn of all
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
            raise RuntimeError(f"The case {self.case.name!r} broke off:\n{told}")
        return json.loads(answer)

    def run_once(self, timed):
        """One turn, whose time is kept where it is `timed`, and what it told in any comparison."""
        answer = self._ask("turn")
        seconds = answer["seconds"] / self.case.work
        self.first = self.first or seconds
        self.peak = answer["peak"]
        self.told.append(answer["told"])
        if timed:
            self.seconds.append(seconds)

    def count(self):
        """Floating-point operations per unit of work."""
        return self._ask("count")["operations"] / self.case.work

    def result(self):
        """What is reported of this case; seconds and bytes."""
        lower, median, upper = np.percentile(self.seconds, (25, 50, 75)).tolist()
        return {
            "median": median,
            "quartiles": [lower, upper],
            "seconds": self.seconds,
            "preparation": self.preparation,
            "first": self.first,
            "peak": self.peak,
            "baseline": self.case.baseline,
            "told": self.told,
        }


def measure(comparison, rounds, seed=0):
    """Lets the cases of a comparison take turns, in each round once, in an order of its own.

    Args:
        comparison: a `Comparison`.
        rounds: that are timed, where the comparison does not say.
        seed: of the orders.

    Returns:
        dict: what the comparison is, `operations` (per unit of work, or None),
        `operations_of_limit`, and `cases`: by name what `Process.result` returns, the matrix
        product among them.

    Raises:
        RuntimeError: a case broke off.
    """
    limit = Case(LIMIT, "benchmarks.machine:matrix_product", {"precision": comparison.precision})
    generator = np.random.default_rng(seed)
    load_before = machine.load()
    with contextlib.ExitStack() as stack:
        processes = {}
        for case in (*comparison.cases, limit):
            processes[case.name] = stack.enter_context(Process(case))
            for _ in range(comparison.warm_up):
                processes[case.name].run_once(timed=False)
        operations = processes[comparison.counted].count() if comparison.counted else None
        for _ in tqdm.trange(comparison.rounds or rounds, desc=comparison.name, leave=False):
            for name in generator.permutation(list(processes)).tolist():
                processes[name].run_once(timed=True)
        cases = {name: process.result() for name, process in processes.items()}
    return {
        "name": comparison.name,
        "precision": comparison.precision,
        "settings": comparison.settings,
        "load_before": load_before,
        "operations": operations,
        "operations_of_limit": machine.OPERATIONS,
        "cases": cases,
    }
