"""The lowest versions of setup.py are those that `make lowest` installs."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNBOUNDED = {"ruff", "mkdocs", "mkdocs-material", "mkdocstrings[python]"}


def lowest_of(requirements):
    """{name, with the versions of Python that it is for: its lowest version, or None}"""
    lowest_versions = {}
    for text in requirements:
        wanted, _, marker = text.partition(";")
        name, lowest = re.match(r"([\w.-]+(?:\[[\w-]+\])?)(?:.*?[>=]=([\d.]+))?", wanted).groups()
        python = marker.strip() if "python_version" in marker else ""
        lowest_versions[name.lower() + python] = lowest
    return lowest_versions


def requirements():
    """All that setup.py asks for, but for what `make lowest` does not install."""
    call = ast.parse((ROOT / "setup.py").read_text()).body[-1].value
    named = {argument.arg: argument.value for argument in call.keywords}
    extras = ast.literal_eval(named["extras_require"])
    for extra in ("gpu", "app", "heif", "tiff", "onnx", "beam", "bench"):
        del extras[extra]
    return [*ast.literal_eval(named["install_requires"]), *sum(extras.values(), [])]


def test_the_lowest_versions_are_those_that_are_tried():
    lines = (ROOT / "tests" / "lowest_versions.txt").read_text().splitlines()
    tried = lowest_of(line for line in lines if not line.startswith("#"))
    asked = lowest_of(requirements())
    assert {name for name, lowest in asked.items() if lowest is None} <= UNBOUNDED
    asked = {name: lowest for name, lowest in asked.items() if lowest is not None}
    assert asked.keys() == tried.keys()
    for name, lowest in asked.items():
        assert tried[name] == lowest or re.fullmatch(rf"{re.escape(lowest)}(\.0)+", tried[name]), (
            name
        )


def test_private_names_of_keras_are_bounded():
    assert any(re.match(r"keras>=.*,<", text) for text in requirements())
