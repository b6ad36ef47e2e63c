from pathlib import Path

import numpy as np
import pytest
from benchmarks import machine
from benchmarks.turns import LIMIT, Case, Contestant, measure

TESTS = Path(__file__).parents[1]
COUNTER, BROKEN, PRODUCT = (f"fake_contestants:{name}" for name in ("counter", "broken", "product"))


@pytest.fixture(autouse=True)
def fake_contestants_are_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture(scope="module")
def measured():
    """Three rounds after one of two contestants, one of which does four things in a turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        contestants = [
            Contestant("ours", COUNTER, {"first": 10, "size": 2**26}),
            Contestant("theirs", COUNTER, work=4, peer=True),
        ]
        return measure(Case("case", contestants, settings={"size": 1}, warm_up=1), rounds=3)


def test_every_contestant_takes_every_turn_in_a_process_of_its_own(measured):
    assert list(measured["contestants"]) == ["ours", "theirs", LIMIT]
    ours, theirs, limit = measured["contestants"].values()
    assert [told["turns"] for told in ours["told"]] == [11, 12, 13, 14]
    assert [told["turns"] for told in theirs["told"]] == [1, 2, 3, 4]
    assert limit["told"] == [None] * 4
    assert [len(found["seconds"]) for found in (ours, theirs, limit)] == [3, 3, 3]
    assert theirs["peer"] and not ours["peer"]


def test_medians_are_of_the_timed_turns(measured):
    for found in measured["contestants"].values():
        assert found["median"] == np.median(found["seconds"])
        assert found["quartiles"][0] <= found["median"] <= found["quartiles"][1]
        assert found["first"] > 0


def test_memory_is_the_contestants_own(measured):
    if measured["contestants"]["ours"]["peak"] is None:
        pytest.skip("this system does not tell a process's memory")
    ours, theirs, _ = (found["peak"] for found in measured["contestants"].values())
    assert 2**26 <= ours - theirs < 2**27


def test_operations_are_counted_per_unit_of_work():
    pytest.importorskip("torch")
    contestant = Contestant("PyTorch", PRODUCT, {"side": 8}, work=4)
    found = measure(Case("case", [contestant], counted="PyTorch", warm_up=0), rounds=1)
    assert found["operations"] == 2 * 8**3 / 4


def test_a_case_may_say_how_many_rounds_it_wants():
    case = Case("case", [Contestant("ours", COUNTER)], rounds=2, warm_up=0)
    assert len(measure(case, rounds=7)["contestants"]["ours"]["seconds"]) == 2


def test_a_contestant_that_breaks_off_is_named_with_its_last_words():
    with pytest.raises(RuntimeError, match="'weak' broke off(.|\n)*out of ideas"):
        measure(Case("case", [Contestant("weak", BROKEN)]), rounds=3)


def test_the_machine_is_described():
    found = machine.description()
    assert found["cores"] >= 1 and found["processor"] and found["system"]
