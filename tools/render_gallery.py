"""Renders each script of examples/ into the manual: a page with pictures, and a notebook.

TINY=1 python tools/render_gallery.py                         # all, at sizes of seconds
python tools/render_gallery.py --script=deblur_a_photograph   # at its own size

The pages and pictures are kept in docs/gallery/, so that building the manual trains nothing.
"""

import contextlib
import io
import json
import os
import re
from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
import matplotlib
import matplotlib.pyplot as plt
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
GALLERY = ROOT / "docs" / "gallery"
# In this order, as some use the runs of others.
SCRIPTS = (
    "deblur_a_photograph",
    "train_on_a_folder",
    "super_resolution",
    "blind_kernel_and_gan",
    "separate_digits",
    "serve_and_query",
)
DPI = 60  # 720 pixels for a figure of 12 inches
COLOURS = 256  # of a picture's palette, so that it stays small
TINY_NOTE = (
    "!!! note\n"
    "    This page was made with `TINY=1`: one training step. Its pictures and numbers show what\n"
    "    the script prints and draws, and not how good the networks are.\n"
)

SCRIPT = flags.DEFINE_enum("script", None, SCRIPTS, "Script to render; default: all.")


def cells_of(script):
    """[(kind, text)] of a script in cells of `# %%`: kind is "markdown" or "code"."""
    cells = []
    for part in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            cells.append(("markdown", re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE)))
        else:
            cells.append(("code", body.strip()))
    return cells


def notebook_of(cells):
    """Returns the cells as a Jupyter notebook without outputs, in JSON."""
    code = {"execution_count": None, "outputs": []}
    content = {
        "cells": [
            {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text}
            | (code if kind == "code" else {})
            for number, (kind, text) in enumerate(cells)
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def page_of(name, cells, is_tiny):
    """Runs the code of a script, cell by cell, and returns its page as Markdown."""
    scope, parts, pictures = {"__name__": "__main__"}, [], []

    def show():
        pictures.append(f"{name}-{len(pictures) + 1}.png")
        _save_small(plt.gcf(), GALLERY / pictures[-1])
        plt.close("all")

    plt.show = show
    for kind, text in cells:
        if kind == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        shown = len(pictures)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(text, name, "exec"), scope)  # a script of this repository
        if printed.getvalue().strip():
            parts.append(f"```text\n{printed.getvalue().rstrip()}\n```")
        parts += [f"![What this cell draws]({picture})" for picture in pictures[shown:]]
    title, *others = parts
    links = f"The script is `examples/{name}.py`; here it is [as a notebook]({name}.ipynb)."
    return "\n\n".join([title, links, *([TINY_NOTE] if is_tiny else []), *others]) + "\n"


def _save_small(figure, path):
    file = io.BytesIO()
    figure.savefig(file, dpi=DPI, format="png", bbox_inches="tight")
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS).save(path, "PNG", optimize=True)


def main():
    matplotlib.use("agg")
    GALLERY.mkdir(parents=True, exist_ok=True)
    for name in [SCRIPT.value] if SCRIPT.value else SCRIPTS:
        cells = cells_of((EXAMPLES / f"{name}.py").read_text())
        page = page_of(name, cells, bool(os.environ.get("TINY")))
        (GALLERY / f"{name}.md").write_text(page)
        (GALLERY / f"{name}.ipynb").write_text(notebook_of(cells))
        print(f"docs/gallery/{name}.md")


if __name__ == "__main__":
    run(main)
