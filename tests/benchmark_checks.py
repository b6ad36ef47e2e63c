"""What holds of the benchmark's program, whatever it compares."""

import json


def check_results_are_kept(benchmark, output):
    """It writes what it measures, adds nothing when asked again, and refuses another number.

    Args:
        benchmark: function of further flags, which runs the program and returns the process.
        output: the directory that it writes into.
    """
    first = benchmark("--rounds=2")
    assert first.returncode == 0, first.stderr
    results = json.loads((output / "benchmark.json").read_text())
    [[comparison]] = results["sections"].values()
    assert all(len(case["seconds"]) == 2 for case in comparison["cases"].values())
    report = (output / "benchmark.md").read_text()
    assert all(f"| {name} |" in report for name in comparison["cases"])
    again = benchmark("--rounds=2")
    assert "already exists" in again.stderr
    assert json.loads((output / "benchmark.json").read_text()) == results
    changed = benchmark("--rounds=3")
    assert changed.returncode == 1 and "differ in rounds" in changed.stderr
