"""The gallery: every script of `examples/` runs to its end, at sizes of seconds."""

import re
import runpy

import matplotlib.pyplot as plt
import pytest
from programs import ROOT
from render_gallery import SCRIPTS, cells_of, notebook_of

pytestmark = pytest.mark.usefixtures("untraced")

EXAMPLES = SCRIPTS  # in this order, as some go on with the runs of others


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


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gallery_shows_the_script_as_it_is(name):
    """Its page, picture by picture, and its notebook; `tools/render_gallery.py` makes them anew."""
    cells = cells_of((ROOT / "examples" / f"{name}.py").read_text())
    gallery = ROOT / "docs" / "gallery"
    page = (gallery / f"{name}.md").read_text()
    for kind, text in cells:
        assert (text if kind == "markdown" else f"```python\n{text}\n```") in page
    for picture in re.findall(r"!\[[^]]*\]\((.+?)\)", page):
        assert (gallery / picture).stat().st_size < 200_000
    assert (gallery / f"{name}.ipynb").read_text() == notebook_of(cells)
