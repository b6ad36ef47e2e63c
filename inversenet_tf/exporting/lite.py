"""Converts an export to one LiteRT (TensorFlow Lite) file, for devices without TensorFlow.

The file takes any batch size and image size, as the export does. It contains a JSON that tells what
it was made from, like TensorFlow Lite's associated files: `unzip -p model.tflite metadata.json`.
"""

import re
import tempfile
import warnings
import zipfile
from pathlib import Path

import tensorflow as tf

from inversenet_tf.exporting.conversion import (
    bytes_of,
    check,
    check_new,
    metadata_of_converted,
    metadata_of_export,
    silenced,
)
from inversenet_tf.exporting.converted_file import (
    IS_FOREIGN,
    ConvertedFileRestorer,
    metadata_from,
)
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.paths import check_utf8, taken_literally
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.image_spec import spec_from
from inversenet_tf.restoration.signature_names import INTERMEDIATE
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, latest_version, read_metadata

NONE = "none"
DYNAMIC_RANGE = "dynamic_range"
FLOAT16 = "float16"
QUANTIZATIONS = (NONE, FLOAT16, DYNAMIC_RANGE)
METADATA_FILE = "metadata.json"  # inside the .tflite


class LiteRestorer(ConvertedFileRestorer):
    """A `.tflite` file of `convert`, run by the interpreter that comes with TensorFlow.

    This interpreter has the converter's own version and needs no further package. On a device,
    `ai_edge_litert.interpreter.Interpreter` takes its place.

    Args:
        path: of the file.
        threads: how many the interpreter may use; None for its own choice.
        metadata: of the export, for a file that does not yet hold any.

    Raises:
        ValueError: it is no such file.
    """

    _KIND = "a LiteRT file"

    def __init__(self, path: str | Path, threads: int | None = None, metadata: dict | None = None):
        super().__init__(read_metadata_of(path) if metadata is None else metadata)
        with silenced(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # points to ai_edge_litert
            interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
            # A file that an older version converted has the signature `serving_default` alone.
            signatures = interpreter.get_signature_list()
            best = INTERMEDIATE if INTERMEDIATE in signatures else SERVING_DEFAULT
            self._signature = interpreter.get_signature_runner(best)

    def _run(self, measurements):
        """Runs the file; one of an older version returns the restored images as both estimates."""
        outputs = self._signature(measurements=measurements)
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
        output: the file, such as `model.tflite`.
        quantize: "none"; "float16": weights of 16 bits, half the size; or "dynamic_range": weights
            of 8 bits, about a quarter of the size.
        data: a source of images for the comparison; by default the training's validation source.
        overwrite: whether an existing file may be replaced.
        trusted: whether the export's graphs may do more than compute, see `check_operations`.

    Returns:
        The file's metadata, a dict whose "check" holds the comparison.

    Raises:
        ValueError: no such export, one whose operations LiteRT lacks, images that cannot be used,
            or a file that exists.
        VerificationFailed: the file would differ too much from the export.
        OSError: the file cannot be written.
    """
    check_choice("quantize", quantize, QUANTIZATIONS)
    output = check_utf8(output)
    check_new(output, overwrite)
    saved_model = latest_version(directory)
    exported = metadata_of_export(saved_model)
    if not trusted:
        check_operations(saved_model)
    content = converted(saved_model, quantize)
    with written_aside(output) as partial:
        check_new(output, overwrite)  # another process may have written it meanwhile
        partial.write_bytes(content)
        compared = check(
            LiteRestorer(partial, metadata=exported),
            saved_model,
            exported,
            is_exact=quantize == NONE,
            data=data,
        )
        metadata = metadata_of_converted(
            saved_model,
            exported,
            quantization=quantize,
            bytes={"export": bytes_of(saved_model), "converted": len(content)},
            check=compared,
        )
        _append_metadata(partial, metadata)
    return metadata


def converted(saved_model, quantize=NONE):
    """The content of a `.tflite` file for an export.

    Its signatures are `serving_default` and, if the model needs no kernel,
    `restore_with_intermediate`, which returns both estimates; they share their weights. Only
    LiteRT's builtin operations are used: Select TensorFlow operations would add most of TensorFlow
    to a device's interpreter, and the interpreter that comes with TensorFlow lacks them, so that
    nothing could be compared.

    Raises:
        ValueError: LiteRT lacks some of the network's operations.
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
        with silenced():
            return converter.convert()
    except Exception as error:  # of a class that TensorFlow does not publish
        lacking = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        if not lacking:
            raise
        raise ValueError(
            f"Expected a network of LiteRT's builtin operations. Received: one that also needs "
            f"{', '.join(lacking)}"
        ) from error


def _append_metadata(path, metadata):
    """Appends the metadata as a ZIP, which is read from a file's end; interpreters ignore it."""
    with tempfile.TemporaryDirectory() as directory:
        written = Path(directory) / METADATA_FILE
        write_json(written, metadata)
        with zipfile.ZipFile(path, "a") as archive:
            archive.write(written, METADATA_FILE)


def read_metadata_of(path: str | Path) -> dict:
    """The metadata of a file of `convert`, a dict.

    Raises:
        ValueError: `convert` did not write the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            told = archive.read(METADATA_FILE)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(IS_FOREIGN.format(f"{path}: {error}")) from error
    return metadata_from(told, path)
