"""Formats the results of a benchmark as Markdown."""

import numpy as np

from benchmarks.interleaved_runs import LIMIT
from benchmarks.machine import SIDE
from benchmarks.other_load import ALLOWED

MIB = 2**20
WANTED = (4.0, 10.0)  # dB above the measurements
MARKS = 6  # points of a curve that are shown
FOR_THE_RECORD = ("loss", "middle")  # show that cases do the same; only in the JSON
EXPLANATION = f"""\
The cases of a comparison have a process each and take turns, in an order that is drawn for every
round. A round is begun when nothing else keeps the machine busy, and repeated where something did.
Seconds are medians of the timed rounds, with quartiles, and so is the ratio of the best; `first` is
the first run, which traces and compiles. `x` is the time as a multiple of the first case's. The
rate is that of the comparison's convolutions and products, counted once and the same for all; the
fraction is of the rate of a product of two {SIDE}x{SIDE} matrices in the comparison's precision, in
the same rounds.
Memory is the peak of the process.
"""


def markdown(results):
    """Returns the report of what tools/benchmark.py keeps as JSON."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        "# Benchmark",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}. {versions}.",
        "",
        EXPLANATION,
    ]
    for title, comparisons in results["sections"].items():
        lines.append(f"## {title}\n")
        for comparison in comparisons:
            if _is_of_curves(comparison):
                parts = [_curves(comparison)]
            elif comparison.get("grows_with"):  # an earlier version did not say
                parts = [_growth(comparison), _laws(comparison)]
            else:
                parts = [_table(comparison), _conclusions(comparison)]
            lines += [_heading(comparison), ""]
            for part in parts:
                lines += [*part, ""]
    return "\n".join(lines)


def _heading(comparison):
    rounds = len(_of_limit(comparison)["seconds"])
    settings = ", ".join(f"{name} {value}" for name, value in comparison["settings"].items())
    load = _load(comparison)
    return f"**{comparison['name']}**; {rounds} rounds; {load}; {settings}"


def _load(comparison):
    """Says how busy the machine was."""
    if not comparison.get("other_load"):  # of an earlier version
        return f"load before {comparison['load_before']}"
    seen = sorted(comparison["other_load"])
    busy = f"other programs kept {seen[len(seen) // 2]:.2f} cores busy (median)"
    repeated = comparison["disturbed"]
    return busy + f", {repeated} rounds repeated for more than {ALLOWED}" * bool(repeated)


def _table(comparison):
    """Yields a table with a line per case."""
    first = next(iter(comparison["cases"].values()))["median"]
    yield "| | ms (quartiles) | x | GFLOP/s | share | first s | MiB |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, case in comparison["cases"].items():
        lower, upper = case["quartiles"]
        rate = _rate(comparison, name)
        yield (
            f"| {name} | {_ms(case['median'])} ({_ms(lower)}-{_ms(upper)}) "
            f"| {case['median'] / first:.2f} | {'' if rate is None else f'{rate / 1e9:.0f}'} "
            f"| {'' if rate is None else f'{rate / _rate(comparison, LIMIT):.0%}'} "
            f"| {case['first']:.1f} | {_mib(case['peak'])} |"
        )


def _is_of_curves(comparison):
    """Whether its turns report the quality reached by a training so far."""
    first = next(iter(comparison["cases"].values()))
    return "gain" in (first["told"][-1] or {})


def _curves(comparison):
    """Yields a line per case: how soon it was good, and its PSNR at the end of some turns."""
    told_of = {name: c["told"] for name, c in comparison["cases"].items() if name != LIMIT}
    first = next(iter(told_of.values()))
    turns, before = len(first), first[0]
    marks = sorted({round(turns * part / MARKS) - 1 for part in range(1, MARKS + 1)} - {-1})
    seconds = [first[mark]["seconds"] for mark in marks]
    yield f"The measurements have {before['psnr'] - before['gain']:.2f} dB."
    yield ""
    wanted = "".join(f" s to +{gain:g} dB |" for gain in WANTED)
    yield f"| |{wanted} steps |" + "".join(f" dB, {s:.0f} s |" for s in seconds)
    yield "|---|" + "---:|" * (len(WANTED) + 1 + len(marks))
    for name, told in told_of.items():
        soon = "".join(f" {_seconds_to(gain, told)} |" for gain in WANTED)
        scores = "".join(f" {told[mark]['psnr']:.2f} |" for mark in marks)
        yield f"| {name} |{soon} {told[-1]['steps']} |{scores}"


def _seconds_to(gain, told):
    """Seconds of training until a turn ended that many dB above the measurements, or "-"."""
    return next((f"{turn['seconds']:.0f}" for turn in told if turn["gain"] >= gain), "-")


def _growth(comparison):
    """Yields a table with a line per size."""
    yield f"| {comparison['grows_with']} | ms (quartiles) | first s | MiB beyond the idle process |"
    yield "|---:|---:|---:|---:|"
    for name, case in comparison["cases"].items():
        lower, upper = case["quartiles"]
        size, memory = (name, "") if name == LIMIT else (case["size"], _mib(_memory(case)))
        yield (
            f"| {size} | {_ms(case['median'])} ({_ms(lower)}-{_ms(upper)}) "
            f"| {case['first']:.1f} | {memory} |"
        )


def _laws(comparison):
    """Yields the powers with which time and memory grow."""
    cases = [case for name, case in comparison["cases"].items() if name != LIMIT]
    taken = {
        "Time": [case["median"] for case in cases],
        "Memory": [_memory(case) for case in cases],
    }
    for what, values in taken.items():
        if not all(values):  # where memory is not reported, or none was taken
            yield f"- {what}: no power law, as not all sizes have a number above zero"
            continue
        exponent, furthest = power_law([case["size"] for case in cases], values)
        yield (
            f"- {what} grows as {comparison['grows_with']} to the power of {exponent:.2f}, from "
            f"which the furthest size is {furthest:.0%} away"
        )


def power_law(sizes, values):
    """Fits a power of the sizes to the values, by least squares of logarithms.

    Args:
        sizes, values: equally many numbers above zero; at least two sizes.

    Returns:
        (the exponent, the deviation of the value furthest from the law, as a fraction).
    """
    sizes, values = np.log(sizes), np.log(values)
    exponent, constant = np.polyfit(sizes, values, 1)
    furthest = np.abs(values - constant - exponent * sizes).max()
    return float(exponent), float(np.expm1(furthest))


def _memory(case):
    """Peak bytes of the turns beyond the idle process; None where they are not reported."""
    told = [turn["memory"] for turn in case["told"] if turn]
    return max(told, default=None)


def _conclusions(comparison):
    """Yields the best of ours against the best baseline, and what the turns reported."""
    fastest, cases = {}, comparison["cases"]
    for name, case in cases.items():
        side = "baseline" if case["baseline"] else "ours"
        if name != LIMIT and case["median"] < fastest.get(side, (float("inf"), ""))[0]:
            fastest[side] = (case["median"], name)
    if len(fastest) == 2:
        (ours, our_name), (theirs, their_name) = fastest["ours"], fastest["baseline"]
        each = [case["seconds"] for case in (cases[our_name], cases[their_name])]
        lower, upper = _quartiles_of_ratio(*each)
        ratio = f"**{ours / theirs:.2f}** ({lower:.2f}-{upper:.2f})"
        yield f"{our_name} / {their_name}: {ratio}"
    for name, case in cases.items():
        for key in case["told"][-1] or {}:
            if key.endswith(FOR_THE_RECORD):
                continue
            values = sorted(told[key] for told in case["told"])
            yield f"- {name}: {key} {values[len(values) // 2]:.4g} (median)"


def _quartiles_of_ratio(ours, theirs):
    """The quartiles of the ratios within each round."""
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    return ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]


def _rate(comparison, name):
    """Floating-point operations per second, or None where they were not counted."""
    if name == LIMIT:
        return comparison["operations_of_limit"] / _of_limit(comparison)["median"]
    if comparison["operations"] is None:
        return None
    return comparison["operations"] / comparison["cases"][name]["median"]


def _of_limit(comparison):
    return comparison["cases"][LIMIT]


def _ms(seconds):
    return f"{1000 * seconds:.4g}"


def _mib(count):
    return "" if count is None else f"{count / MIB:.0f}"
