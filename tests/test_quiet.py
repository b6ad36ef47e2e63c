"""What a program writes to the standard error is its own, and one thing a line."""

import io
import os
import struct
import sys

import programs
from absl import logging
from PIL import Image
from tqdm import tqdm

from inversenet_tf import command_line
from inversenet_tf.quiet_tensorflow import without_notices


def test_notices_of_tensorflow_are_left_out(capfd):
    with without_notices():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are\n")
        os.write(2, b"I0000 00:00:1.2 7 cudart_stub.cc:31] Could not find cuda drivers\n")
        os.write(2, b"E0000 00:00:1.2 7 file.cc:1] a fault\nother words\n")
    os.write(2, b"after\n")
    written = capfd.readouterr().err
    assert written == "E0000 00:00:1.2 7 file.cc:1] a fault\nother words\nafter\n"


def test_what_comes_before_an_error_is_not_lost(capfd):
    try:
        with without_notices():
            os.write(2, b"F0000 00:00:1.2 7 file.cc:1] why\n")
            raise ImportError
    except ImportError:
        pass
    assert "why" in capfd.readouterr().err


def test_a_log_line_is_not_glued_to_a_bar(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    stream = command_line._BesideBars()
    with tqdm(total=2, file=screen, mininterval=0) as bar:
        bar.update()
        stream.write("W line\n")
        stream.flush()
    before = screen.getvalue().partition("W line\n")[0]
    assert before.endswith("\r")  # the bar was wiped out
    assert logging.get_absl_handler()


def test_pillows_warnings_of_damaged_tags_are_left_out(image_folder, tmp_path):
    """The file is named, with the reason; a warning would be two lines about Pillow's source."""
    whole = io.BytesIO()
    Image.new("RGB", (24, 16)).save(whole, "TIFF")
    tag = struct.pack("<HHI", 258, 3, 3)  # the bits of three samples, which stand elsewhere
    content = whole.getvalue()
    (image_folder / "odd.tif").write_bytes(content.replace(tag, struct.pack("<HHI", 258, 3, 9999)))
    done = programs.run("prepare", f"--source=folder:{image_folder}", f"--output={tmp_path / 'p'}")
    assert done.returncode == 0 and "odd.tif" in done.stderr
    assert "UserWarning" not in done.stderr and "warnings.warn" not in done.stderr


def test_logging_that_is_set_up_anew_leaves_the_standard_error_open(monkeypatch):
    """As Gradio's server sets it up, whose page could else restore nothing without a terminal."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    handler = logging.PythonHandler(command_line._BesideBars())
    handler.close()  # as logging.config does with every handler
    assert not screen.closed
