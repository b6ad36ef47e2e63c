import io
import json
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from inversenet_tf.evaluation import evaluate
from inversenet_tf.exporting import inversenet, verification
from inversenet_tf.exporting.inversenet import export_model, export_run
from inversenet_tf.exporting.verification import verify
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.pixels import from_integers, to_luma
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.unet import UNet
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.serving.fresh_process import VerificationFailed
from inversenet_tf.serving.saved_models import WARMUP_FILE, read_metadata, versions_of
from inversenet_tf.trained_run import load_trained

pytestmark = pytest.mark.usefixtures("untraced")

SIZES = [(1, 37, 53, 3), (5, 64, 64, 3), (1, 255, 257, 3), (5, 37, 53, 3)]
HALF_A_LEVEL = 0.5 / 255


@pytest.fixture(scope="module")
def model():
    """Both networks, of random weights: small ones, as tracing takes longest."""
    return InverseNet(UNet(3, global_skip=True), DAE(global_skip=True))


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return export_model(model, tmp_path_factory.mktemp("models") / "denoiser")


@pytest.fixture(scope="module")
def signatures(version):
    loaded = tf.saved_model.load(version)
    yield loaded.signatures


def file(pixels, kind):
    contents = io.BytesIO()
    Image.fromarray(pixels).save(contents, kind)
    return contents.getvalue()


def opened(contents):
    with Image.open(io.BytesIO(contents)) as image:
        return from_integers(np.asarray(image))


def test_tensors_of_every_size_and_batch(signatures, model):
    for shape in SIZES:
        measurements = np.random.default_rng(0).random(shape).astype(np.float32)
        expected = model.restore(measurements)
        for name in ("serving_default", "restore_with_intermediate"):
            outputs = signatures[name](measurements=tf.constant(measurements))
            for output, values in outputs.items():
                np.testing.assert_allclose(values, expected[output], atol=1e-5)
        assert sorted(outputs) == ["inverted", "restored"]


def test_a_model_without_denoiser_has_the_same_signatures(tmp_path):
    loaded = tf.saved_model.load(export_model(InverseNet(UNet(2)), tmp_path))
    outputs = loaded.signatures["restore_with_intermediate"](measurements=tf.ones((1, 5, 7, 3)))
    np.testing.assert_array_equal(outputs["inverted"], outputs["restored"])


def test_files_of_different_kinds_and_sizes_in_one_batch(signatures, model):
    generator = np.random.default_rng(0)
    sizes = [(37, 53, 3), (64, 40, 3), (21, 33)]
    pixels = [generator.integers(0, 256, size, np.uint8) for size in sizes]
    files = [file(image, kind) for image, kind in zip(pixels, ("PNG", "JPEG", "PNG"), strict=True)]
    answers = signatures["restore_bytes"](image_bytes=tf.constant(files))["restored_bytes"].numpy()
    for contents, answer, size in zip(files, answers, sizes, strict=True):
        restored = opened(answer)
        assert restored.shape == size  # gray stays gray
        measurement = read_image(io.BytesIO(contents))
        expected = model.restore(measurement[np.newaxis])["restored"].numpy()[0]
        expected = to_luma(expected)[..., 0] if len(size) == 2 else expected
        np.testing.assert_allclose(restored, expected, atol=HALF_A_LEVEL + 1e-5)


def test_no_files_are_no_answers(signatures):
    empty = tf.constant([], tf.string)
    assert signatures["restore_bytes"](image_bytes=empty)["restored_bytes"].shape == (0,)


def test_what_is_no_image_is_an_invalid_argument(signatures):
    for contents in (b"", b"no image", file(np.zeros((9, 9), np.uint8), "PNG")[:40]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            signatures["restore_bytes"](image_bytes=tf.constant([contents]))


def test_the_warm_up_requests_are_answered(version, signatures):
    """Read back through TensorFlow Serving's own protos, as its warm-up does."""
    asked = []
    for record in tf.data.TFRecordDataset(str(version / WARMUP_FILE)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "denoiser"
        inputs = {name: tf.constant(tf.make_ndarray(v)) for name, v in request.inputs.items()}
        outputs = signatures[request.model_spec.signature_name](**inputs)
        assert all(len(values) == 1 for values in outputs.values())
        asked.append(request.model_spec.signature_name)
    assert set(asked) == {"serving_default", "restore_with_intermediate", "restore_bytes"}
    assert len(asked) == read_metadata(version)["warmup_requests"] == 8


def test_a_kernel_that_is_optional_is_warmed_up_and_verified():
    spec = ImageSpec(3, 3, 1, 1, "reflect", 100.0, "optional")
    names = [name for name, _ in inversenet._warmup(spec)]
    for with_kernel in ("restore_with_kernel", "restore_bytes_with_kernel"):
        assert names.count(with_kernel) == 2  # one for each size
    model = types.SimpleNamespace(kernel_use="optional")
    requests = [
        verification._request_of_files([b"file"] * 2, told)
        for told in verification._told_of_files(model)
    ]
    assert [name for name, _ in requests] == ["restore_bytes", "restore_bytes_with_kernel"]
    assert requests[1][1]["kernels"].shape == (2, 9, 9) and "kernels" not in requests[0][1]


def test_a_verified_run_says_all_of_itself(trained, tmp_path, shared_image_folder, monkeypatch):
    monkeypatch.setattr("inversenet_tf.exporting.verification.SIZES", ((37, 53), (64, 64)))
    assert export_run(trained, tmp_path / "export") == tmp_path / "export" / "1"
    evaluate(trained, which="best")  # the weights that are exported
    version = export_run(trained, tmp_path / "export", verify=True)
    assert version == tmp_path / "export" / "2"
    first, second = (read_metadata(tmp_path / "export" / number) for number in "12")
    assert first["verification"] is None and first["scores"] is None
    assert second["verification"]["largest_difference"] <= 1e-5
    assert second["verification"]["data"]["images"] == [f"{i}.png" for i in range(5)]
    assert second["scores"]["number_of_images"] == 6
    assert second["scores"]["methods"].keys() == {
        *("degraded", "wiener", "lmmse", "inverted", "restored"),
    }
    assert second["checkpoint"] == {"which": "best", "step": load_trained(trained)[2]}
    assert second["config"]["data"]["train"] == f"folder:{shared_image_folder}"
    assert second["task"].startswith("blur, linear_motion of 9 pixels")
    assert "tensorflow" in second["versions"]


def test_an_export_that_differs_does_not_appear(trained, tmp_path, monkeypatch):
    def verify_other(saved_model, model, *others, **options):
        model.inverter.layers[1].bias.assign_add(model.inverter.layers[1].bias + 0.5)
        return verify(saved_model, model, *others, **options)

    monkeypatch.setattr("inversenet_tf.exporting.verification.verify", verify_other)
    monkeypatch.setattr("inversenet_tf.exporting.verification.SIZES", ((37, 53),))
    with pytest.raises(VerificationFailed, match="at most 1e-05. Received: a difference of"):
        export_run(trained, tmp_path / "export", verify=True)
    assert not versions_of(tmp_path / "export")


def test_bfloat16_is_exported_where_asked(trained, tmp_path):
    version = export_run(trained, tmp_path / "export", precision="mixed_bfloat16")
    serve = tf.saved_model.load(version).signatures["serving_default"]
    measurements = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    expected = load_trained(trained, precision="mixed_bfloat16")[0].restore(measurements)
    restored = serve(measurements=tf.constant(measurements))["restored"]
    np.testing.assert_allclose(restored, expected["restored"], atol=0.02)
    assert restored.dtype == tf.float32
    assert json.loads((version / "assets.extra/metadata.json").read_text())["precision"] == (
        "mixed_bfloat16"
    )


def test_what_cannot_be_exported(trained, tmp_path, version):
    with pytest.raises(ValueError, match="Expected precision in"):
        export_run(trained, tmp_path / "export", precision="int8")
    with pytest.raises(ValueError, match="config.json"):
        export_run(tmp_path, tmp_path / "export")
    assert not (tmp_path / "export").exists()
    with pytest.raises(ValueError, match="is a SavedModel itself"):
        export_run(trained, version)
