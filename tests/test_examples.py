"""The gallery: every script of `examples/` runs to its end, at sizes of seconds."""

import runpy

import matplotlib.pyplot as plt
import pytest
from programs import ROOT

# In this order, as some go on with the runs of others.
EXAMPLES = (
    "deblur_a_photograph",
    "train_on_a_folder",
    "super_resolution",
    "blind_kernel_and_gan",
    "separate_digits",
    "serve_and_query",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name, place, monkeypatch, capsys):
    """In this process, as importing TensorFlow takes longer than most examples."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("TINY", "1")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    with plt.rc_context({"backend": "agg"}):
        runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    output = capsys.readouterr().out
    assert " dB" in output or "PSNR (dB)" in output


def test_every_script_is_an_example():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)
