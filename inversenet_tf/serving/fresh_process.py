"""Runs a SavedModel in a process that has nothing but TensorFlow, and checks its answers."""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.files.paths import taken_literally
from inversenet_tf.serving import answer_requests

# For the largest difference. Sums in another order differ by 1e-6 in float32; near 1, bfloat16 has
# steps of 1/128 and float16 of 1/1024.
TOLERANCES = {"float32": 1e-5, "mixed_bfloat16": 0.02, "mixed_float16": 2e-3}


class VerificationFailed(ValueError):
    """An export does not do what the Python model does."""


def compare(saved_model, requests, expected, precision, python=None):
    """Compares a SavedModel's answers in a fresh process with what was computed in this one.

    Args:
        saved_model, requests, python: as for `answers_of`.
        expected: list of {output's name: array}, one for each request.
        precision: of the model's hidden layers, one of `PRECISIONS`.

    Returns:
        {"largest_difference", "tolerance", "tensorflow"}.

    Raises:
        VerificationFailed: the largest difference is above the tolerance; or as `answers_of`.
    """
    answers, version = answers_of(saved_model, requests, python)
    differences = [
        np.abs(answer[name] - values).max()
        for answer, outputs in zip(answers, expected, strict=True)
        for name, values in outputs.items()
    ]
    return verdict(differences, precision) | {"tensorflow": version}


def verdict(differences, precision):
    """Checks differences against the tolerance; returns {"largest_difference", "tolerance"}.

    Raises:
        VerificationFailed: the largest difference is above the tolerance, or NaN.
    """
    largest, tolerance = float(np.max(differences)), TOLERANCES[precision]
    if not largest <= tolerance:
        raise VerificationFailed(
            f"Expected an export that differs from the model by at most {tolerance:g}. Received: "
            f"a difference of {largest:g}"
        )
    return {"largest_difference": largest, "tolerance": tolerance}


def answers_of(saved_model, requests, python=None):
    """Loads a SavedModel in a new process and calls its signatures.

    Args:
        saved_model: its directory.
        requests: list of (signature's name, {input's name: array}).
        python: an interpreter that has TensorFlow; None for this one.

    Returns:
        (answers, version): list of {output's name: array}, and TensorFlow's version there.

    Raises:
        VerificationFailed: the process failed, or imported this project.
    """
    with tempfile.TemporaryDirectory() as directory, taken_literally(saved_model) as literal:
        asked, answered = Path(directory, "requests"), Path(directory, "answers")
        asked.write_bytes(pickle.dumps(requests))
        # -I isolates the interpreter: it finds only what is installed for it.
        command = [python or sys.executable, "-I", answer_requests.__file__]
        try:
            done = subprocess.run(
                [*command, str(literal), str(asked), str(answered)],
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise VerificationFailed(f"Expected a Python interpreter. Received: {error}") from error
        if done.returncode:
            logging.debug("Output of the fresh process:\n%s", done.stderr)
            said = done.stderr.strip().splitlines() or ["without a message"]
            raise VerificationFailed(
                f"Expected {saved_model} to load and answer in a fresh process of {command[0]}. "
                f"Received: exit status {done.returncode}, {said[-1]}"
            )
        answered_with = pickle.loads(answered.read_bytes())
    if answered_with["imported"]:
        raise VerificationFailed(
            f"Expected an export that needs TensorFlow alone. Received: one that imports "
            f"{answered_with['imported'][0]}"
        )
    return answered_with["answers"], answered_with["tensorflow"]
