from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from programs import run_isolated

from inversenet_tf.serving import fresh_process
from inversenet_tf.serving.fresh_process import (
    VerificationFailed,
    answers_of,
    compare,
    verdict,
)
from inversenet_tf.serving.saved_models import write_version

REQUESTS = [
    ("serving_default", {"values": np.float32([1, 2])}),
    ("upper", {"text": np.array([b"a"], object)}),
]


@pytest.fixture
def fresh_processes_are_forked():
    """Not here."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    values, text = (
        tf.TensorSpec((None,), tf.float32, "values"),
        tf.TensorSpec((1,), tf.string, "text"),
    )
    signatures = {
        "serving_default": (lambda values: {"doubled": 2.0 * values}, [values]),
        "upper": (lambda text: {"text": tf.strings.upper(text)}, [text]),
    }
    return write_version(tmp_path_factory.mktemp("model"), signatures, {}, [])


def test_answers_and_their_differences(saved):
    answers, version = answers_of(saved, REQUESTS)
    np.testing.assert_array_equal(answers[0]["doubled"], [2, 4])
    assert answers[1]["text"] == [b"A"] and version == tf.__version__


def test_answers_are_held_against_what_is_expected(saved, monkeypatch):
    monkeypatch.setattr(fresh_process, "subprocess", SimpleNamespace(run=run_isolated))
    expected = [{"doubled": np.float32([2, 4 + 8e-6])}]
    comparison = compare(saved, REQUESTS[:1], expected, "float32")
    assert comparison["largest_difference"] == pytest.approx(8e-6, rel=0.2)
    assert comparison["tensorflow"] == tf.__version__
    with pytest.raises(VerificationFailed, match="at most 1e-05. Received: a difference of 2"):
        verdict([8e-6, 2.0], "float32")


def test_a_difference_that_is_no_number_is_too_large():
    with pytest.raises(VerificationFailed, match="nan"):
        verdict([0.0, np.nan], "float32")


def test_what_does_not_load_or_run(saved, tmp_path):
    with pytest.raises(VerificationFailed, match="SavedModel file does not exist"):
        answers_of(tmp_path, REQUESTS)
    with pytest.raises(VerificationFailed, match="exit status 1, without a message"):
        answers_of(saved, REQUESTS, python="/bin/false")
    with pytest.raises(VerificationFailed, match="Expected a Python interpreter"):
        answers_of(saved, REQUESTS, python=str(tmp_path / "python"))


def test_an_export_that_needs_this_package_is_refused(saved, monkeypatch, tmp_path):
    """The program that answers tells what was imported: here it imports the package itself."""
    from inversenet_tf.serving import answer_requests

    program = tmp_path / "answer.py"
    source = Path(answer_requests.__file__).read_text()
    program.write_text("import inversenet_tf\n" + source)
    monkeypatch.setattr(answer_requests, "__file__", str(program))
    with pytest.raises(VerificationFailed, match="one that imports inversenet_tf"):
        answers_of(saved, REQUESTS)
