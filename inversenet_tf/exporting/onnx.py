"""Converts an export to one ONNX file, for ONNX Runtime, OpenVINO and other runtimes.

The file takes any batch size and image size, as the export does: `measurements`, float32 [batch,
height, width, channels] in [0, 1], -> `restored` and `inverted`. Its metadata hold a JSON that
tells what it was made from.
"""

import json
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

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
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.paths import check_utf8, taken_literally
from inversenet_tf.models.own_networks import one_line
from inversenet_tf.restoration.signature_names import INTERMEDIATE
from inversenet_tf.serving.operations import check_operations, operations_of
from inversenet_tf.serving.saved_models import latest_version

OPSET = 17  # the operator set of ONNX 1.12, which all current runtimes support
METADATA = "inversenet_tf"  # the key of the JSON in the file's metadata
IS_MISSING = 'Expected {}, for ONNX files (pip install ".[onnx]" in the project). Received: none'
# Fourier transforms, used by the closed form and neural deblurring; the converter supports none.
TRANSFORMS = {f"{kind}{rank}" for kind in ("FFT", "IFFT", "RFFT", "IRFFT") for rank in ("", "2D")}


class OnnxRestorer(ConvertedFileRestorer):
    """An `.onnx` file of `convert_to_onnx`, run by ONNX Runtime.

    Args:
        path: of the file.
        threads: how many the runtime may use; None for its own choice.
        metadata: of the export, for a file that does not yet hold any.

    Raises:
        ValueError: it is no such file, or ONNX Runtime is not installed.
    """

    _KIND = "an ONNX file"

    def __init__(self, path: str | Path, threads: int | None = None, metadata: dict | None = None):
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(IS_MISSING.format("ONNX Runtime")) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(
                Path(path).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of a class that ONNX Runtime does not publish
            raise ValueError(f"Expected an ONNX file. Received: {path}: {error}") from error
        super().__init__(self._metadata_of(path) if metadata is None else metadata)

    def _metadata_of(self, path):
        told = self._session.get_modelmeta().custom_metadata_map.get(METADATA)
        if told is None:
            raise ValueError(IS_FOREIGN.format(f"{path}, another's"))
        return metadata_from(told, path)

    def _run(self, measurements):
        names = [output.name for output in self._session.get_outputs()]
        arrays = self._session.run(names, {"measurements": measurements})
        return dict(zip(names, arrays, strict=True))


def convert_to_onnx(
    directory: str | Path,
    output: str | Path,
    *,
    data: str | None = None,
    overwrite: bool = False,
    trusted: bool = False,
) -> dict:
    """Writes an export as an ONNX file, whole or not at all, once it agrees with the export.

    Args:
        directory: of an export of an InverseNet in float32, or of its versions.
        output: the file, such as `model.onnx`.
        data: a source of images for the comparison; by default the training's validation source.
        overwrite: whether an existing file may be replaced.
        trusted: whether the export's graphs may do more than compute, see `check_operations`.

    Returns:
        The file's metadata, a dict whose "check" holds the comparison.

    Raises:
        ValueError: no such export, one with Fourier transforms, images that cannot be used, a file
            that exists, or a package that is missing.
        VerificationFailed: the file would differ too much from the export.
        OSError: the file cannot be written.
    """
    output = check_utf8(output)
    check_new(output, overwrite)
    saved_model = latest_version(directory)
    exported = metadata_of_export(saved_model)
    if not trusted:
        check_operations(saved_model)
    _check_convertible(saved_model)
    model = converted(saved_model)
    with written_aside(output) as partial:
        check_new(output, overwrite)  # another process may have written it meanwhile
        partial.write_bytes(content := model.SerializeToString())
        metadata = metadata_of_converted(
            saved_model,
            exported,
            bytes={"export": bytes_of(saved_model), "converted": len(content)},
            check=check(OnnxRestorer(partial, metadata=exported), saved_model, exported, data=data),
        )
        told = json.dumps(metadata)
        model.metadata_props.add(key=METADATA, value=told)
        partial.write_bytes(model.SerializeToString())
    return json.loads(told)


def _check_convertible(saved_model):
    """Raises ValueError, before any work, for an export that is known not to convert."""
    if transforms := operations_of(saved_model) & TRANSFORMS:
        raise ValueError(
            "Expected a network without Fourier transforms, which do not convert to ONNX. "
            f"Received: one with {', '.join(sorted(transforms))}, as in "
            "neural_deblur and the networks that correct the closed form"
        )


def converted(saved_model):
    """An export's signature `restore_with_intermediate` as an `onnx.ModelProto`.

    Raises:
        ValueError: tf2onnx is not installed, or does not support all of the network's operations.
    """
    try:
        import tf2onnx
    except ImportError as error:
        raise ValueError(IS_MISSING.format("tf2onnx")) from error
    with taken_literally(saved_model) as literal:
        loaded = tf.saved_model.load(str(literal))
    signature = loaded.signatures[INTERMEDIATE]
    graph, inputs, outputs = _bare_graph(signature)
    names = {inputs[0]: "measurements"} | dict(
        zip(outputs, sorted(signature.structured_outputs), strict=True)
    )
    try:
        with silenced():
            model, _ = tf2onnx.convert.from_graph_def(
                graph,
                input_names=inputs,
                output_names=outputs,
                opset=OPSET,
                tensors_to_rename=names,
            )
    except Exception as error:  # of many classes
        raise ValueError(
            f"Expected a network that tf2onnx converts. Received: {one_line(error)}"
        ) from error
    return model


def _bare_graph(signature):
    """The graph of a signature without its input checks, for which ONNX has no operators.

    Returns:
        (a `GraphDef` with its weights as constants and no functions, the names of its inputs, and
        those of its outputs in the order of their names in the signature).
    """
    frozen = convert_variables_to_constants_v2(signature)
    graph = frozen.graph.as_graph_def()
    for node in graph.node:
        needed = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(needed)
        if node.op == "PlaceholderWithDefault":  # from the checks; its default is the input
            node.op = "Identity"
            node.attr["T"].CopyFrom(node.attr["dtype"])
            del node.attr["dtype"], node.attr["shape"]
    inputs, outputs = ([tensor.name for tensor in side] for side in (frozen.inputs, frozen.outputs))
    return graph, inputs, outputs
