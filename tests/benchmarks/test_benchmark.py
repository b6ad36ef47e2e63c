"""The program around the comparisons: what it writes, keeps and refuses."""

import json
from pathlib import Path

import pytest
from benchmark_checks import check_results_are_kept
from benchmarks.interleaved_runs import LIMIT
from programs import ROOT, completed

OF_NOTHING = f"""
import sys
from types import SimpleNamespace

sys.path.insert(0, {str(ROOT / "tools")!r})
import benchmark
from benchmarks import interleaved_runs
from benchmarks.interleaved_runs import Case, Comparison

IDLE = "fake_cases:idle"
comparison = Comparison("idleness", [Case("ours", IDLE), Case("theirs", IDLE)])
section = SimpleNamespace(TINY={{}}, comparisons=lambda settings: [comparison])
sys.modules["benchmarks.nothing"] = section
benchmark.SECTIONS = {{"nothing": "Nothing"}}
interleaved_runs.PREPARE_LIMIT = IDLE
benchmark.run(benchmark.main)
"""


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """Function that runs the program on a section of two cases that do nothing."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    (tmp_path / "of_nothing.py").write_text(OF_NOTHING)
    command = [tmp_path / "of_nothing.py", f"--output={tmp_path}", "--tiny", "--sections=nothing"]
    return lambda *arguments: completed([*command, *arguments])


def test_it_writes_what_it_measures_and_goes_on_where_it_was(benchmark, tmp_path):
    """`test_tools.py` has a slow one of a real section."""
    check_results_are_kept(benchmark, tmp_path)


def test_it_leaves_cases_and_comparisons_out(benchmark, tmp_path):
    run = benchmark("--rounds=2", "--leave_out=theirs,activity")
    assert run.returncode == 0, run.stderr
    [[comparison]] = json.loads((tmp_path / "benchmark.json").read_text())["sections"].values()
    assert set(comparison["cases"]) == {"ours", LIMIT}
    changed = benchmark("--rounds=2", "--leave_out=idleness")
    assert changed.returncode == 1 and "differ in leave_out" in changed.stderr


def test_all_comparisons_may_be_left_out(benchmark, tmp_path):
    run = benchmark("--rounds=2", "--leave_out=idleness")
    assert run.returncode == 0, run.stderr
    assert "idleness" not in run.stdout


def test_an_empty_part_leaves_nothing_out_and_older_results_left_nothing_out(benchmark, tmp_path):
    assert benchmark("--rounds=1", "--leave_out=,").returncode == 0
    results = json.loads((tmp_path / "benchmark.json").read_text())
    [[comparison]] = results["sections"].values()
    assert {"ours", "theirs"} < set(comparison["cases"])
    del results["leave_out"]
    (tmp_path / "benchmark.json").write_text(json.dumps(results))
    assert "already exists" in benchmark("--rounds=1").stderr
