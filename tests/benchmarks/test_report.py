import pytest
from benchmarks.interleaved_runs import LIMIT
from benchmarks.machine import SIDE
from benchmarks.report import markdown, power_law

OPERATIONS = 2 * SIDE**3


def case(median, baseline=False, told=(None, None)):
    return {
        "median": median,
        "quartiles": [median, median],
        "seconds": [median] * 2,
        "first": 2.5,
        "peak": 3 * 2**20,
        "baseline": baseline,
        "told": list(told),
    }


@pytest.fixture
def results():
    comparison = {
        "name": "a step",
        "precision": "float32",
        "settings": {"size": 64},
        "load_before": 0.5,
        "operations": OPERATIONS / 2,
        "operations_of_limit": OPERATIONS,
        "cases": {
            "ours, slow": case(0.4),
            "ours, fast": case(
                0.2, told=[{"waited": 7.0, "loss": 1.0}, {"waited": 9.0, "loss": 1.0}]
            ),
            "PyTorch": case(0.25, baseline=True),
            LIMIT: case(0.1),
        },
    }
    machine = {"processor": "abacus", "cores": 2, "system": "desk"}
    return {"machine": machine, "versions": {"torch": "1"}, "sections": {"Steps": [comparison]}}


def test_the_report_says_where_and_with_what(results):
    text = markdown(results)
    assert "abacus, 2 cores, desk. torch 1." in text
    assert "## Steps" in text and "**a step**; 2 rounds; load before 0.5; size 64" in text


def test_the_report_says_how_idle_the_machine_was(results):
    results["sections"]["Steps"][0] |= {"other_load": [0.9, 0.02, 0.03], "disturbed": 1}
    expected = "other programs kept 0.03 cores busy (median), 1 rounds repeated for more than 0.15;"
    assert expected in markdown(results)


def test_ratios_are_to_the_first_and_shares_of_the_limit(results):
    rows = {
        row.split("|")[1].strip(): row.split("|")[2:-1]
        for row in markdown(results).split("\n")
        if row.startswith("| ") and not row.startswith("| |")
    }
    cells = {name: [cell.strip() for cell in row] for name, row in rows.items()}
    rate = OPERATIONS / 2 / 0.2 / 1e9
    assert cells["ours, fast"] == ["200 (200-200)", "0.50", f"{rate:.0f}", "25%", "2.5", "3"]
    assert cells[LIMIT][1] == "0.25" and cells[LIMIT][3] == "100%"


def test_the_best_of_ours_is_held_against_the_best_baseline(results):
    text = markdown(results)
    assert "ours, fast / PyTorch: **0.80** (0.80-0.80)" in text
    assert "- ours, fast: waited 9 (median)" in text and "loss" not in text


def test_without_counted_operations_there_is_no_rate(results):
    results["sections"]["Steps"][0]["operations"] = None
    assert "| ours, fast | 200 (200-200) | 0.50 |  |  | 2.5 | 3 |" in markdown(results)


def test_curves_tell_how_soon_and_how_good(results):
    def curve(*gains):
        return [
            {"seconds": 10.0 * n, "steps": 5 * n, "psnr": 20.0 + gain, "gain": gain}
            for n, gain in enumerate(gains, start=1)
        ]

    results["sections"]["Steps"][0]["cases"] = {
        "ours": case(1.0, told=curve(4.5, 10.0)),
        "PyTorch": case(1.0, baseline=True, told=curve(1.0, 2.0)),
        LIMIT: case(0.1),
    }
    text = markdown(results)
    assert "The measurements have 20.00 dB." in text
    assert "| | s to +4 dB | s to +10 dB | steps | dB, 10 s | dB, 20 s |" in text
    assert "| ours | 10 | 20 | 10 | 24.50 | 30.00 |" in text
    assert "| PyTorch | - | - | 10 | 21.00 | 22.00 |" in text


def test_growth_is_a_power_of_the_size(results):
    comparison = results["sections"]["Steps"][0] | {"grows_with": "pixels"}
    comparison["cases"] = {
        f"{size} pixels": case(2e-3 * size, told=[{"memory": 2**20}, {"memory": size**2 * 2**20}])
        | {"size": size}
        for size in (10, 20, 40, 80)
    } | {LIMIT: case(0.1)}
    results["sections"]["Steps"] = [comparison]
    text = markdown(results)
    assert "| pixels | ms (quartiles) |" in text and f"| {LIMIT} | 100" in text
    assert "| 40 | 80 (80-80) | 2.5 | 1600 |" in text
    assert "Time grows as pixels to the power of 1.00, from which the furthest size is 0%" in text
    assert "Memory grows as pixels to the power of 2.00" in text
    for measured in comparison["cases"].values():
        measured["told"] = [None, None]
    assert "- Memory: no power law" in markdown(results)


def test_a_power_law_of_values_that_follow_none():
    exponent, furthest = power_law([1, 2, 4], [1.0, 4.0, 4.0])
    assert exponent == pytest.approx(1.0)
    assert furthest == pytest.approx(2 ** (2 / 3) - 1)
