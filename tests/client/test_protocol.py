"""The test server against the documented protocols, without the client under test."""

import base64

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

MEASUREMENTS = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3) / 16


@pytest.fixture
def post(server):
    """`post(body, path)` -> (status, JSON)."""

    def ask(body, path="/v1/models/negative:predict"):
        data = {"json": body} if isinstance(body, dict | list) else {"data": body}
        answer = requests.post(f"http://{server.address('rest')}{path}", **data, timeout=10)
        return answer.status_code, answer.json()

    return ask


@pytest.fixture
def get(server):
    def ask(path):
        answer = requests.get(f"http://{server.address('rest')}{path}", timeout=10)
        return answer.status_code, answer.json()

    return ask


def test_rows_and_columns(post):
    values, expected = MEASUREMENTS.tolist(), (1 - MEASUREMENTS).tolist()
    for given in (values, [{"measurements": values[0]}]):
        assert post({"instances": given}) == (200, {"predictions": expected})
    for given in (values, {"measurements": values}):
        assert post({"inputs": given}) == (200, {"outputs": expected})
    both = {"restored": expected[0], "inverted": values[0]}
    body = {"signature_name": "restore_with_intermediate", "instances": values}
    assert post(body) == (200, {"predictions": [both]})
    body = {"signature_name": "restore_with_intermediate", "inputs": values}
    assert post(body) == (200, {"outputs": {"restored": expected, "inverted": values}})


def test_bytes_in_rows_and_columns(post, noise, encoded, decoded):
    files = [encoded(noise(seed)) for seed in range(2)]
    values = [{"b64": base64.b64encode(contents).decode()} for contents in files]
    for key, given, result in (
        ("instances", values, "predictions"),
        ("instances", [{"image_bytes": value} for value in values], "predictions"),
        ("inputs", values, "outputs"),
        ("inputs", {"image_bytes": values}, "outputs"),
    ):
        code, answer = post({"signature_name": "restore_bytes", key: given})
        assert code == 200
        for seed, entry in enumerate(answer[result]):
            pixels = decoded(base64.b64decode(entry["b64"]))
            np.testing.assert_array_equal(pixels, 255 - noise(seed))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{not json", "JSON Parse error"),
        ([], "Expected a JSON object"),
        ({"inputs": [1.0], "instances": [1.0]}, "'instances' or 'inputs'"),
        ({"inputs": [1.0], "signature_name": "other"}, '"other" not found'),
        ({"inputs": {"images": [[[[1.0, 1.0, 1.0]]]]}}, "input keys"),
        ({"inputs": [[[["a", "b", "c"]]]]}, "JSON Value"),
        ({"inputs": [[[[1.0, 1.0]]]]}, "float32"),
        ({"inputs": [{"b64": "!"}], "signature_name": "restore_bytes"}, "JSON Value"),
        ({"inputs": [{"b64": "AAAA"}], "signature_name": "restore_bytes"}, "nknown image"),
    ],
)
def test_what_is_malformed_is_400(post, body, words):
    code, answer = post(body)
    assert code == 400 and words in answer["error"]


def test_what_does_not_exist_is_404(post, get):
    body = {"inputs": MEASUREMENTS.tolist()}
    assert post(body, "/v1/models/other:predict")[0] == 404
    assert post(body, "/v1/models/negative/versions/4:predict")[0] == 404
    assert post(body, "/v1/models/negative/versions/3:predict")[0] == 200
    assert get("/v1/models/other")[0] == get("/v1/models/negative/versions/4")[0] == 404


def test_status_and_metadata(get):
    available = {
        "version": "3",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    assert get("/v1/models/negative") == (200, {"model_version_status": [available]})
    code, answer = get("/v1/models/negative/metadata")
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert code == 200 and signatures["restore_bytes"]["inputs"]["image_bytes"]


def test_grpc(server, noise, encoded):
    with grpc.insecure_channel(server.address("grpc")) as channel:
        predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def predict(tensor, key="measurements", name="negative", signature=""):
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            request.inputs[key].CopyFrom(tf.make_tensor_proto(tensor))
            return predictions.Predict(request, timeout=10).outputs

        restored = tf.make_ndarray(predict(MEASUREMENTS)["restored"])
        np.testing.assert_array_equal(restored, 1 - MEASUREMENTS)
        outputs = predict(MEASUREMENTS, signature="restore_with_intermediate")
        assert set(outputs) == {"restored", "inverted"}
        for code, arguments in (
            ("NOT_FOUND", {"tensor": MEASUREMENTS, "name": "other"}),
            ("INVALID_ARGUMENT", {"tensor": MEASUREMENTS, "signature": "other"}),
            ("INVALID_ARGUMENT", {"tensor": MEASUREMENTS, "key": "images"}),
            ("INVALID_ARGUMENT", {"tensor": MEASUREMENTS.astype(np.float64)}),
            (
                "INVALID_ARGUMENT",
                {"tensor": [b"no image"], "key": "image_bytes", "signature": "restore_bytes"},
            ),
        ):
            with pytest.raises(grpc.RpcError) as raised:
                predict(**arguments)
            assert raised.value.code().name == code

        spec = {"name": "negative"}
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        )
        definitions = get_model_metadata_pb2.SignatureDefMap()
        predictions.GetModelMetadata(request).metadata["signature_def"].Unpack(definitions)
        assert "restored_bytes" in definitions.signature_def["restore_bytes"].outputs
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        assert models.GetModelStatus(request).model_version_status[0].version == 3
