from pathlib import Path

import numpy as np
import pytest
from benchmarks import interleaved_runs, machine, other_load
from benchmarks.interleaved_runs import LIMIT, Case, Comparison, measure, take_rounds
from benchmarks.other_load import OtherLoad

TESTS = Path(__file__).parents[1]
COUNTER, BROKEN, PRODUCT, IDLE = (
    f"fake_cases:{name}" for name in ("counter", "broken", "product", "idle")
)


@pytest.fixture(autouse=True)
def fake_cases_are_found(measured, monkeypatch):
    """The product of matrices that comes with each comparison is one of them, but in `measured`."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setattr(interleaved_runs, "PREPARE_LIMIT", IDLE)


@pytest.fixture(scope="module")
def measured():
    """Three rounds after one of two cases, one of which does four things in a turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        cases = [
            Case("ours", COUNTER, {"first": 10, "size": 2**26}),
            Case("theirs", COUNTER, work=4, baseline=True),
        ]
        comparison = Comparison("comparison", cases, settings={"size": 1}, warm_up=1)
        return measure(comparison, rounds=3, limit_side=64)


def test_every_case_takes_every_turn_in_a_process_of_its_own(measured):
    assert list(measured["cases"]) == ["ours", "theirs", LIMIT]
    ours, theirs, limit = measured["cases"].values()
    assert [told["turns"] for told in ours["told"]] == [11, 12, 13, 14]
    assert [told["turns"] for told in theirs["told"]] == [1, 2, 3, 4]
    assert limit["told"] == [None] * 4
    assert [len(case["seconds"]) for case in (ours, theirs, limit)] == [3, 3, 3]
    assert theirs["baseline"] and not ours["baseline"]


def test_medians_are_of_the_timed_turns(measured):
    for case in measured["cases"].values():
        assert case["median"] == np.median(case["seconds"])
        assert case["quartiles"][0] <= case["median"] <= case["quartiles"][1]
        assert case["first"] > 0


def test_memory_is_the_cases_own(measured):
    if measured["cases"]["ours"]["peak"] is None:
        pytest.skip("this system does not tell a process's memory")
    ours, theirs, _ = (case["peak"] for case in measured["cases"].values())
    assert 2**26 <= ours - theirs < 2**27


def test_operations_are_counted_per_unit_of_work():
    pytest.importorskip("torch")
    case = Case("PyTorch", PRODUCT, {"side": 8}, work=4)
    comparison = measure(Comparison("comparison", [case], counted="PyTorch", warm_up=0), rounds=1)
    assert comparison["operations"] == 2 * 8**3 / 4


def test_a_case_may_say_how_many_rounds_it_wants():
    comparison = Comparison("comparison", [Case("ours", COUNTER)], rounds=2, warm_up=0)
    assert len(measure(comparison, rounds=7)["cases"]["ours"]["seconds"]) == 2


def test_a_case_that_breaks_off_is_named_with_its_last_words():
    with pytest.raises(RuntimeError, match="'weak' failed(.|\n)*out of ideas"):
        measure(Comparison("comparison", [Case("weak", BROKEN)]), rounds=3)


def test_the_machine_is_described():
    description = machine.description()
    assert description["cores"] >= 1 and description["processor"] and description["system"]


class Told(OtherLoad):
    """A load that is told of, in cores: while it is waited for, and beside each round."""

    def __init__(self, waiting, beside, patience=10.0):
        super().__init__(patience)
        self.waiting, self.beside = list(waiting), list(beside)

    def _look(self):
        return self.waiting.pop(0)

    def end(self):
        return self.beside.pop(0)


class Turns:
    """A process whose turns take 1, 2, 3, ... seconds."""

    def __init__(self):
        self.seconds, self.taken = [], 0

    def run_once(self):
        self.taken += 1
        return self.taken


@pytest.mark.parametrize(("repeatable", "kept"), [(True, [1, 3, 4]), (False, [1, 2, 3])])
def test_rounds_beside_other_work_do_not_count(repeatable, kept):
    """They are taken again, but for trainings, which have gone on meanwhile."""
    load = Told([2.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.7, 0.0, 0.0])
    processes = {"ours": Turns(), "theirs": Turns()}
    generator = np.random.default_rng(0)
    disturbed = take_rounds(processes, range(3), generator, load, repeatable)
    assert [process.seconds for process in processes.values()] == [kept, kept]
    assert disturbed == repeatable
    assert load.seen == [0.0, 0.7, 0.0, 0.0][: 3 + repeatable]


def test_a_machine_that_is_never_idle_is_told_of():
    load = Told([1.5] * 9, [], patience=3.0)
    with pytest.raises(RuntimeError, match="1.5 cores busy after 3 s of waiting; --loaded"):
        load.wait()
    assert len(load.waiting) == 6


def test_ones_own_work_is_no_load_and_others_is(monkeypatch):
    """Two seconds later the cores were busy for three, one of them with this program."""
    times = iter([(10.0, 100.0, 50.0), (12.0, 103.0, 51.0)])
    monkeypatch.setattr(other_load, "_times", lambda: next(times))
    load = OtherLoad()
    load.begin()
    assert not load.was_idle()
    assert load.seen == [1.0]


def test_the_system_is_asked():
    clock, busy, own = other_load._times()
    assert busy >= own > 0 < clock
