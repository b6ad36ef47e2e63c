"""TensorFlow Serving's gRPC API."""

from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from inversenet_tf.client.errors import NotServed, ServingError, fault
from inversenet_tf.client.served import VersionStatus

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # otherwise answers above 4 MiB would be refused
    # Retries have their own waits, to which gRPC by default would add up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcTransport:
    """Requests restored images and the model's status over gRPC, from any thread."""

    def __init__(self, served):
        self._served = served
        self._channel = _channel(served)
        self._predictions = PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, signature, inputs, names, timeout):
        """The outputs of one signature, as NumPy arrays; otherwise as in `RestTransport`."""
        request = predict_pb2.PredictRequest()
        self._name(request)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        answer = self._ask(self._predictions.Predict, request, timeout)
        if missing := set(names) - set(answer.outputs):
            raise ServingError(
                f"Expected the output {min(missing)} from {self._served.address}. "
                f"Received: {sorted(answer.outputs)}"
            )
        return {name: tf.make_ndarray(answer.outputs[name]) for name in names}

    def signatures(self, timeout):
        """See `RestTransport.signatures`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request)
        answer = self._ask(self._predictions.GetModelMetadata, request, timeout)
        described = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(described)
        return {
            signature: {
                name: tensor.tensor_shape.dim[-1].size if tensor.tensor_shape.dim else -1
                for name, tensor in definition.inputs.items()
            }
            for signature, definition in described.signature_def.items()
            if definition.inputs
        }

    def statuses(self, timeout):
        """List of the `VersionStatus` of all versions, empty for an unknown model."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._served.model
        try:
            answer = self._ask(self._models.GetModelStatus, request, timeout)
        except NotServed:
            return []
        state_name = get_model_status_pb2.ModelVersionStatus.State.Name
        return [
            VersionStatus(status.version, state_name(status.state), status.status.error_message)
            for status in answer.model_version_status
        ]

    def close(self):
        """Closes the connection; requests under way fail."""
        self._channel.close()

    def _name(self, request):
        """Sets the model and version of a request."""
        request.model_spec.name = self._served.model
        if self._served.version is not None:
            request.model_spec.version.value = self._served.version

    def _ask(self, method, request, timeout):
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            code, sent = error.code().name, request.ByteSize()
            raise fault(code, error.details() or "", sent, self._served.address) from error
        except ValueError as error:  # the channel was closed meanwhile
            raise ServingError(f"Expected an open connection. Received: {error}") from error


def _channel(served):
    if not served.secure:
        return grpc.insecure_channel(served.address, OPTIONS)
    trusted = served.ca_certificate and Path(served.ca_certificate).read_bytes()
    return grpc.secure_channel(served.address, grpc.ssl_channel_credentials(trusted), OPTIONS)
