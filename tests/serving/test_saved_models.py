import builtins
import threading

import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.serving.saved_models import (
    METADATA_FILE,
    latest_version,
    new_version,
    read_metadata,
    versions_of,
    write_version,
)

SPEC = tf.TensorSpec((None,), tf.float32, "values")
DOUBLE = {"serving_default": (lambda values: {"doubled": 2.0 * values}, [SPEC])}
WARMUP = [("serving_default", {"values": np.ones(3, np.float32)})]


def test_versions_are_numbered_on(tmp_path):
    for number in (1, 2):
        assert write_version(tmp_path / "m", DOUBLE, {"a": 1}, WARMUP) == tmp_path / f"m/{number}"
    assert versions_of(tmp_path / "m") == {n: tmp_path / f"m/{n}" for n in (1, 2)}
    (tmp_path / "m" / "10").mkdir()
    (tmp_path / "m" / "notes").mkdir()
    (tmp_path / "m" / "12").write_text("no directory")
    assert new_version(tmp_path / "m") == tmp_path / "m" / "11"


def test_the_newest_whole_version_is_taken(tmp_path, warned):
    version = write_version(tmp_path, DOUBLE, {}, [])
    version.rename(tmp_path / "0001")
    (tmp_path / "2" / "variables").mkdir(parents=True)
    assert latest_version(tmp_path) == tmp_path / "0001"
    assert f"No saved_model.pb in {tmp_path / '2'}" in warned()


def test_two_exports_at_once_make_two_versions(tmp_path):
    """The first is still being checked when the second begins."""
    begun, other = threading.Event(), []

    def check(path):
        thread = threading.Thread(target=second)
        thread.start()
        begun.wait()
        other.append(thread)
        return (path / "saved_model.pb").exists()

    def second():
        begun.set()
        other.append(write_version(tmp_path, DOUBLE, {"second": True}, WARMUP))

    first = write_version(tmp_path, DOUBLE, {}, WARMUP, check)
    other[0].join()
    assert (first, other[1]) == (tmp_path / "1", tmp_path / "2")
    for version in (first, other[1]):
        serve = tf.saved_model.load(version).signatures["serving_default"]
        np.testing.assert_array_equal(serve(values=tf.constant([1.5]))["doubled"], [3.0])
    assert read_metadata(first)["verification"] and read_metadata(other[1])["second"]


def test_what_is_written_can_be_served(tmp_path):
    version = write_version(tmp_path, DOUBLE, {"a": 1}, WARMUP)
    serve = tf.saved_model.load(version).signatures["serving_default"]
    np.testing.assert_array_equal(serve(values=tf.constant([1.5]))["doubled"], [3.0])
    assert read_metadata(version) == {"a": 1, "warmup_requests": 1}
    assert latest_version(tmp_path) == latest_version(version) == version


def test_a_version_appears_when_it_was_checked(tmp_path):
    def check(path):
        assert (path / "saved_model.pb").exists() and not versions_of(tmp_path)
        return {"well": True}

    version = write_version(tmp_path, DOUBLE, {}, [], check)
    assert read_metadata(version)["verification"] == {"well": True}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_version_is_whole_or_absent(tmp_path, error):
    def check(path):
        raise error

    with pytest.raises(error):
        write_version(tmp_path / "m", DOUBLE, {}, WARMUP, check)
    assert not (tmp_path / "m").exists()


def test_places_that_hold_no_versions(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="directory to write to. Received: .*file"):
        new_version(tmp_path / "file")
    with pytest.raises(ValueError, match="which is a SavedModel itself"):
        new_version(write_version(tmp_path / "m", DOUBLE, {}, []))
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="Expected a SavedModel, or a directory"):
            latest_version(place)


def test_a_model_of_elsewhere_has_no_metadata(tmp_path):
    version = write_version(tmp_path, DOUBLE, {}, [])
    (version / METADATA_FILE).unlink()
    with pytest.raises(ValueError, match="Expected a SavedModel made by tools/export.py"):
        read_metadata(version)


def test_without_the_protos_there_is_no_warm_up(tmp_path, monkeypatch, warned):
    original = builtins.__import__

    def missing(name, *others):
        if name.startswith("tensorflow_serving"):
            raise ImportError(name)
        return original(name, *others)

    monkeypatch.setattr(builtins, "__import__", missing)
    version = write_version(tmp_path, DOUBLE, {}, WARMUP)
    assert read_metadata(version)["warmup_requests"] == 0
    assert "pip install tensorflow-serving-api" in warned()
    assert not (version / "assets.extra/tf_serving_warmup_requests").exists()
