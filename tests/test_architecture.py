"""imaging knows neither paper; the blind package knows of the other only imaging."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "inversenet_tf/imaging": ("inversenet_tf.imaging",),
    "inversenet_tf": ("inversenet_tf",),
    "blind_gan_tf": ("blind_gan_tf", "inversenet_tf.imaging"),
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        for name in imported(path):
            if name.split(".")[0] in ("inversenet_tf", "blind_gan_tf"):
                within = any(f"{name}.".startswith(f"{prefix}.") for prefix in ALLOWED[package])
                assert within, f"{path.relative_to(ROOT)} imports {name}"
