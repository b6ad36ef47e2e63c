"""An export as one LiteRT (TensorFlow Lite) file, for devices without TensorFlow.

The file takes any batch and any size, as the export does, and carries what it was made of as a JSON
inside, in the way of TensorFlow Lite's associated files: `unzip -p model.tflite metadata.json`.
"""

import contextlib
import functools
import json
import os
import re
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from inversenet_tf.config import Config
from inversenet_tf.data import open_held_out
from inversenet_tf.engine.workdir import versions
from inversenet_tf.exporting.verification import (
    SIZES,
    StandIn,
    measured_examples,
    of_size,
    operator_for_examples,
)
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.paths import check_utf8, taken_literally
from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.restorers import (
    INTERMEDIATE,
    Restorer,
    degradation_from,
    spec_from,
)
from inversenet_tf.serving.fresh_process import VerificationFailed
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, latest_version, read_metadata

NONE = "none"
DYNAMIC_RANGE = "dynamic_range"
FLOAT16 = "float16"
QUANTIZATIONS = (NONE, FLOAT16, DYNAMIC_RANGE)
METADATA_FILE = "metadata.json"  # inside the .tflite
TOLERANCE = 1e-4  # of the largest difference without quantisation; sums of another order: 1e-5
# Of the quantised file's output against the export's, in dB, on each image. What is right loses
# little: 39 dB or more with four networks of two cores' minutes.
LEAST_PSNR = 30.0
BATCH = 3  # of one of the comparisons; the others are of single images
UNROUNDED = MetricProfile(rounding=False)


class LiteRestorer(Restorer):
    """A `.tflite` file of `convert` in use, by the interpreter that comes with TensorFlow.

    That one is of the converter's own version and needs no further package. On a device,
    `ai_edge_litert.interpreter.Interpreter` takes its place.

    Args:
        path: of the file.
        threads: that the interpreter may use; None for its own choice.

    Raises:
        ValueError: it is no such file.
    """

    def __init__(self, path: str | Path, threads: int | None = None):
        with _silenced(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # points to ai_edge_litert
            interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
            # A file that was converted by an older version has this output alone.
            signatures = interpreter.get_signature_list()
            best = INTERMEDIATE if INTERMEDIATE in signatures else SERVING_DEFAULT
            self._run = interpreter.get_signature_runner(best)
        self._path = path

    @functools.cached_property
    def spec(self):
        """The `ImageSpec` of the export that the file was made of."""
        return spec_from(read_metadata_of(self._path))

    @functools.cached_property
    def degradation(self):
        """What the export was trained to undo, where that is known."""
        return degradation_from(read_metadata_of(self._path))

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        """As every restorer's; a file of an older version gives the restored images as both."""
        if kernels is not None:
            raise ValueError("Expected no kernel with a LiteRT file. Received: one")
        outputs = self._run(measurements=np.asarray(measurements, np.float32))
        return {"inverted": outputs["restored"]} | outputs


def convert(
    directory: str | Path,
    output: str | Path,
    quantize: str = NONE,
    *,
    data: str | None = None,
    overwrite: bool = False,
    trusted: bool = False,
) -> dict:
    """Writes an export as a LiteRT file, whole or not at all, once it agrees with the export.

    Args:
        directory: of an export of an InverseNet in float32, or of its versions.
        output: the file, as `model.tflite`.
        quantize: "none"; "float16": weights of 16 bits, half the size; or "dynamic_range": weights
            of 8 bits, about a quarter of the size.
        data: a source of images to compare with; by default the training's validation source.
        overwrite: whether a file that exists may be replaced.
        trusted: whether the export's graphs may do more than compute, see `check_operations`.

    Returns:
        What `read_metadata_of` gives: a dict, of which "check" holds the comparison.

    Raises:
        ValueError: no such export, one whose operations LiteRT lacks, images that cannot be used,
            or a file that exists.
        VerificationFailed: the file would differ too much from the export.
        OSError: the file cannot be written.
    """
    check_choice("quantize", quantize, QUANTIZATIONS)
    output = check_utf8(output)
    _check_new(output, overwrite)
    saved_model = latest_version(directory)
    exported = _metadata_of_export(saved_model)
    if not trusted:
        check_operations(saved_model)
    content = converted(saved_model, quantize)
    with written_aside(output) as partial:
        _check_new(output, overwrite)  # another process may have written it meanwhile
        partial.write_bytes(content)
        metadata = {name: exported[name] for name in ("model", "task", "images", "checkpoint")} | {
            "degradation": exported.get("degradation"),
            "export": {"version": saved_model.name, "versions": exported["versions"]},
            "quantization": quantize,
            "bytes": {"export": _bytes_of(saved_model), "converted": len(content)},
            "check": check(
                LiteRestorer(partial), saved_model, exported, quantize=quantize, data=data
            ),
            "versions": versions(),
        }
        _append_metadata(partial, metadata)
    return metadata


def _check_new(output, overwrite):
    if output.is_dir() or (output.exists() and not overwrite):
        raise ValueError(f"Expected a new file (or --overwrite). Received: {output}, which exists.")


def _metadata_of_export(saved_model):
    """Its metadata, if it is one that can be converted."""
    metadata = read_metadata(saved_model)
    if not {"images", "config", "precision"} <= metadata.keys():
        raise ValueError(
            f"Expected the export of an InverseNet's run in {saved_model}. Received: one of a "
            f"{metadata.get('model')} of which less is told."
        )
    if metadata["precision"] != "float32":
        raise ValueError(
            f"Expected an export of float32, as LiteRT computes: export the run with "
            f"--precision=float32. Received: {metadata['precision']}"
        )
    return metadata


def converted(saved_model, quantize=NONE):
    """The content of a `.tflite` file for the signatures `serving_default` and, with both
    estimates, `restore_with_intermediate`, which share their weights.

    Only LiteRT's builtin operations are used. Its Select TensorFlow operations would upsample a
    device's interpreter by most of TensorFlow, and the one that comes with TensorFlow has none, so
    that nothing could be compared.

    Raises:
        ValueError: LiteRT lacks operations of the network.
    """
    metadata = read_metadata(saved_model)
    restores = "images" in metadata and spec_from(metadata).kernel != kernel_use.REQUIRED
    signatures = [SERVING_DEFAULT, INTERMEDIATE] if restores else [SERVING_DEFAULT]
    with taken_literally(saved_model) as literal:
        return _converted(literal, signatures, quantize)


def _converted(saved_model, signatures, quantize):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=signatures
    )
    if quantize != NONE:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    try:
        with _silenced():
            return converter.convert()
    except Exception as error:  # of a class that TensorFlow does not publish
        lacking = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        if not lacking:
            raise
        raise ValueError(
            f"Expected a network of LiteRT's builtin operations. Received: one that also needs "
            f"{', '.join(lacking)}"
        ) from error


def check(restorer, saved_model, metadata, *, quantize=NONE, data=None):
    """Compares a `LiteRestorer` with the export it was made of, on held-out images.

    That is on the examples as they are, on one of them mirrored or cropped to all of `SIZES`, and
    on one batch. PSNR against the true images is the mean over the examples; None where the run was
    trained with an operator of the caller's own.

    Returns:
        A dict of what was compared and found.

    Raises:
        ValueError: images that cannot be used.
        VerificationFailed: without quantisation, a difference above `TOLERANCE`; with it, an image
            of less than `LEAST_PSNR` against the export's.
    """
    config = config_from_dict(Config, metadata["config"])
    operator = operator_for_examples(config)
    source = open_held_out(data or config.data.validation, operator, config)
    examples = measured_examples(source, operator, config)
    with taken_literally(saved_model) as literal:
        exported = tf.saved_model.load(str(literal))
    serve = exported.signatures[SERVING_DEFAULT]
    both = (
        restorer.estimates,
        lambda y: {"restored": serve(measurements=tf.constant(y))["restored"]},
    )
    measurements = [measurement[np.newaxis] for measurement, _ in examples]
    measurements += _of_all_sizes(examples, metadata["images"]["scale"])
    compared = [[np.asarray(method(y)["restored"]) for method in both] for y in measurements]
    against_export = [psnr(*pair, UNROUNDED).numpy().min() for pair in compared]
    truths = [image[np.newaxis] for _, image in examples]
    # An operator that no file holds leaves no measurements whose restoration could be scored.
    is_known = source.paired or type(operator) is not StandIn
    result = {
        "largest_difference": max(float(np.abs(a - b).max()) for a, b in compared),
        "least_psnr_against_export": float(min(against_export)),
        "psnr": {
            name: _mean_psnr([pair[place] for pair in compared], truths, config.metrics)
            for place, name in enumerate(("converted", "export"))
        }
        if is_known
        else None,
        "image_sides": SIZES,
        "batches": [1, BATCH],
        "metrics": config.metrics.stamp(),
        "data": {"source": source.spec, "images": source.names[: len(examples)]},
    }
    _classifier(result, quantize)
    return result


def _of_all_sizes(examples, scale):
    """Measurements [batch, height, width, channels]: one image of each size, and one batch."""
    measurements = [measurement for measurement, _ in examples]
    batches = [of_size(measurements[0], size, scale)[np.newaxis] for size in SIZES]
    several = [measurements[index % len(measurements)] for index in range(BATCH)]
    return [*batches, np.stack([of_size(each, SIZES[0], scale) for each in several])]


def _mean_psnr(restored, truths, profile):
    """Over the examples, which are the first of what was restored."""
    pairs = zip(restored, truths, strict=False)
    return float(np.mean([psnr(*pair, profile).numpy() for pair in pairs]))


def _classifier(result, quantize):
    largest, least = result["largest_difference"], result["least_psnr_against_export"]
    if quantize == NONE and not largest <= TOLERANCE:
        raise VerificationFailed(
            f"Expected the converted model to differ from the export by at most {TOLERANCE:g}. "
            f"Received: {largest:g}"
        )
    if not least >= LEAST_PSNR:
        raise VerificationFailed(
            f"Expected the converted model to give the export's images at {LEAST_PSNR:g} dB or "
            f"more. Received: {least:.1f} dB"
        )


def _bytes_of(directory):
    """The size of all files of a SavedModel that are needed to run it."""
    files = [directory / "saved_model.pb", *(directory / "variables").iterdir()]
    return sum(file.stat().st_size for file in files)


def _append_metadata(path, metadata):
    """Adds it as a ZIP, which is read from a file's end; an interpreter stops at the model's."""
    with tempfile.TemporaryDirectory() as directory:
        written = Path(directory) / METADATA_FILE
        write_json(written, metadata)
        with zipfile.ZipFile(path, "a") as archive:
            archive.write(written, METADATA_FILE)


def read_metadata_of(path: str | Path) -> dict:
    """What `convert` tells of a file: a dict.

    Raises:
        ValueError: the file was not written by it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read(METADATA_FILE))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise ValueError(
            f"Expected a file of `inversenet convert`. Received: {path}: {error}"
        ) from error
    if not isinstance(metadata, dict):
        raise ValueError(f"Expected metadata in {path}. Received: {metadata!r}")
    return metadata


@contextlib.contextmanager
def _silenced():
    """Keeps what C++ code writes to the standard error, past every logging level, from there."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
