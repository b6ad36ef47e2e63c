"""An export as a server holds it: its signatures, its state, and what a test wants to go wrong."""

import threading
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class Fault(Exception):
    """An answer other than a result: a canonical code and a message."""


class ServedModel:
    """The latest version below `directory`, and the states that a test may put it into."""

    def __init__(self, directory, name):
        versions = [path for path in Path(directory).iterdir() if path.name.isdigit()]
        latest = max(versions, key=lambda path: int(path.name))
        self.name, self.version = name, int(latest.name)
        graphs = saved_model_pb2.SavedModel.FromString((latest / "saved_model.pb").read_bytes())
        self.definitions = graphs.meta_graphs[0].signature_def
        self.loaded = tf.saved_model.load(str(latest))
        self.state, self.load_error = "AVAILABLE", ""
        self.faults = []  # (code, message) with which the next predictions are answered
        self.before_prediction = lambda: None
        self.predictions = 0
        self._lock = threading.Lock()

    def signature(self, name, version, signature_name):
        """The concrete function, its inputs' specs, and its definition."""
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        known = name == self.name and version in (None, self.version)
        if not known or self.state != "AVAILABLE":
            raise Fault("NOT_FOUND", f"Servable not found for request: {wanted}")
        if signature_name not in self.loaded.signatures:
            raise Fault("INVALID_ARGUMENT", f'Serving signature name: "{signature_name}" not found')
        function = self.loaded.signatures[signature_name]
        return function, function.structured_input_signature[1]

    def predict(self, name, version, signature_name, tensors):
        """{name: tensor} -> {name: tensor}."""
        function, specs = self.signature(name, version, signature_name)
        self.before_prediction()
        with self._lock:
            self.predictions += 1
            fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise Fault(*fault)
        if set(tensors) != set(specs):
            expected, got = sorted(specs), sorted(tensors)
            raise Fault("INVALID_ARGUMENT", f"input keys: expected {expected}, received {got}")
        for key, spec in specs.items():
            tensor = tensors[key]
            if tensor.dtype != spec.dtype or not spec.shape.is_compatible_with(tensor.shape):
                message = f"{key}: expected {spec.dtype.name} {spec.shape}, received"
                raise Fault("INVALID_ARGUMENT", f"{message} {tensor.dtype.name} {tensor.shape}")
        try:
            return function(**tensors)
        except tf.errors.OpError as error:
            raise Fault(CODES[error.error_code], error.message) from error

    def status(self, name, version):
        if name != self.name:
            raise Fault("NOT_FOUND", f"Could not find any versions of model {name}")
        if version not in (None, self.version):
            raise Fault("NOT_FOUND", f"Could not find version {version} of model {name}")
        answer = get_model_status_pb2.GetModelStatusResponse()
        described = answer.model_version_status.add(version=self.version)
        described.state = get_model_status_pb2.ModelVersionStatus.State.Value(self.state)
        described.status.error_code = 2 if self.load_error else 0
        described.status.error_message = self.load_error
        return answer

    def metadata(self, name, version):
        self.signature(name, version, "serving_default")
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name, answer.model_spec.version.value = name, self.version
        definitions = get_model_metadata_pb2.SignatureDefMap(signature_def=self.definitions)
        answer.metadata["signature_def"].Pack(definitions)
        return answer
