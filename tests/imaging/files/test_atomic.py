import pytest
import tensorflow as tf

from inversenet_tf.imaging.files.atomic import written_aside


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
    (tmp_path / ".partial-model").mkdir()
    (tmp_path / ".partial-model" / "old").touch()
    with written_aside(tmp_path / "model") as partial:
        partial.mkdir()
    assert list((tmp_path / "model").iterdir()) == []


def test_tensorflow_errors_name_the_path(tmp_path):
    with pytest.raises(OSError, match="Cannot write .*model"), written_aside(tmp_path / "model"):
        raise tf.errors.ResourceExhaustedError(None, None, "no space left")
