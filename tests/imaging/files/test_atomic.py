import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import tensorflow as tf

from inversenet_tf.imaging.files.atomic import partial_directory, written_aside


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_aside(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_and_a_directory_appear_whole(tmp_path):
    with written_aside(tmp_path / "deep" / "result.txt") as partial:
        partial.write_text("new")
        assert not (tmp_path / "deep" / "result.txt").exists()
    assert (tmp_path / "deep" / "result.txt").read_text() == "new"
    with written_aside(tmp_path / "model") as partial:
        partial.mkdir()
        (partial / "weights").touch()
    assert (tmp_path / "model" / "weights").exists()


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    aside = partial_directory(tmp_path / "model")
    (aside / "model").mkdir(parents=True)
    (aside / "model" / "old").touch()
    (aside / ".lock").touch()
    with written_aside(tmp_path / "model") as partial:
        partial.mkdir()
    assert list((tmp_path / "model").iterdir()) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_writers_of_one_path_take_turns(tmp_path):
    """Each file is of one writer, whole, and none of them fails."""

    def write(number):
        with written_aside(tmp_path / "result.txt") as partial:
            for _ in range(100):
                with partial.open("a") as file:
                    file.write(f"{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    written = (tmp_path / "result.txt").read_text()
    assert len(written) == 100 and len(set(written)) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "result.txt"]


def test_the_longest_name_that_a_disk_takes(tmp_path):
    with written_aside(tmp_path / ("x" * 251 + ".txt")) as partial:
        partial.write_text("whole")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


def test_tensorflow_errors_name_the_path(tmp_path):
    with pytest.raises(OSError, match="Cannot write .*model"), written_aside(tmp_path / "model"):
        raise tf.errors.ResourceExhaustedError(None, None, "no space left")


def test_a_device_or_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(ValueError, match="can be replaced. Received: .*pipe"),
        written_aside(tmp_path / "pipe") as partial,
    ):
        partial.write_text("content")
    assert (tmp_path / "pipe").is_fifo() and [p.name for p in tmp_path.iterdir()] == ["pipe"]
