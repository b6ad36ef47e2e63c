"""Graphs that do more than compute are refused before they are run."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import write_version

SPEC = tf.TensorSpec((None, None, None, 3), tf.float32, "measurements")
IMAGES = {
    "measured_channels": 3,
    "image_channels": 3,
    "scale": 1,
    "multiple": 1,
    "boundary": "circular",
    "bytes_per_pixel": 100.0,
}


def written(directory, do):
    """An export that restores nothing and does something beside it."""

    def restore(measurements):
        with tf.control_dependencies([do(measurements, str(directory / "mark"))]):
            return {"restored": tf.identity(measurements), "inverted": measurements * 1.0}

    signatures = {
        name: (restore, [SPEC]) for name in ("serving_default", "restore_with_intermediate")
    }
    return write_version(directory, signatures, {"images": IMAGES}, [])


def python(images, path):
    return tf.py_function(lambda: tf.io.write_file(path, "ran"), [], [])


def numpy(images, path):
    return tf.numpy_function(lambda x: x, [images], tf.float32)


def in_a_branch(images, path):
    return tf.cond(
        tf.reduce_mean(images) > 2.0,
        lambda: tf.io.read_file(path),
        lambda: tf.constant(""),
    )


HOSTILE = {
    "WriteFile": lambda images, path: tf.io.write_file(path, "ran"),
    "ReadFile": in_a_branch,
    "EagerPyFunc": python,
    "PyFunc": numpy,
    "PrintV2": lambda images, path: tf.print("ran", output_stream=f"file://{path}"),
    "SaveV2": lambda images, path: tf.raw_ops.SaveV2(
        prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[images]
    ),
    "MatchingFiles": lambda images, path: tf.io.matching_files("/*"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_processes_and_python_are_refused(name, tmp_path):
    written(tmp_path / "export", HOSTILE[name])
    with pytest.raises(ValueError, match=f"graphs only compute.* {name}.*--trust_export"):
        ExportedRestorer(tmp_path / "export")
    assert not (tmp_path / "export" / "mark").exists()


def test_who_trusts_an_export_runs_it(tmp_path):
    written(tmp_path / "export", HOSTILE["WriteFile"])
    image = np.zeros((4, 4, 3), np.float32)
    ExportedRestorer(tmp_path / "export", trusted=True)(image)
    assert (tmp_path / "export" / "mark").read_text() == "ran"


def test_what_saves_may_not_be_what_is_served(tmp_path):
    version = written(tmp_path / "export", lambda images, path: tf.constant(0))
    check_operations(version)
    content = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    [graph] = content.meta_graphs
    saver = graph.saver_def.save_tensor_name.partition(":")[0]
    node = next(n for n in graph.graph_def.node if n.name not in (saver,) and n.op == "NoOp")
    node.input.append(f"^{saver}")
    (version / "saved_model.pb").write_bytes(content.SerializeToString())
    with pytest.raises(ValueError, match=f"which has {saver}"):
        check_operations(version)


def test_what_is_no_saved_model_is_one_line(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="Expected a SavedModel in"):
        check_operations(tmp_path)
