"""A server on this machine that speaks TensorFlow Serving's protocols, for tests of its clients.

It is no TensorFlow Serving: it loads the latest version of an export once, and follows the
documentation of the REST API and the published protos. What can go wrong with a server, it plays.
"""

import base64
import contextlib
import inspect
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import tensorflow as tf
from google.protobuf import json_format
from loopback_model import Fault, ServedModel
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(?:(:predict)|(/metadata))?")
THREADS = 8
TRIES = 50  # to bind to a port


# What protobuf calls it that fields with their default values are printed, too; before 5.26
# otherwise.
WITH_DEFAULTS = "always_print_fields_with_no_presence"
if WITH_DEFAULTS not in inspect.signature(json_format.MessageToDict).parameters:
    WITH_DEFAULTS = "including_default_value_fields"


class LoopbackServer:
    """Both protocols on ports of 127.0.0.1: `rest_port`, `grpc_port`; `with` starts and stops it.

    Args:
        directory: holds `1/`, `2/`, ... SavedModels.
        name: of the model.
        limit: the largest request taken, in bytes.
    """

    def __init__(self, directory, name="model", limit=None):
        self.model, self.limit = ServedModel(directory, name), limit
        self.rest_port = self.grpc_port = 0  # chosen at the first start, kept for the next

    def start(self):
        options = [("grpc.max_receive_message_length", self.limit or -1), ("grpc.so_reuseport", 0)]
        self._grpc = grpc.server(ThreadPoolExecutor(THREADS), options=options)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            Predictions(self.model), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(self.model), self._grpc)
        address = f"127.0.0.1:{self.grpc_port}"
        self.grpc_port = _bound(lambda: self._grpc.add_insecure_port(address))
        self._grpc.start()
        self._rest = _bound(lambda: Rest(("127.0.0.1", self.rest_port), Handler))
        self._rest.model, self._rest.limit = self.model, self.limit
        self.rest_port = self._rest.server_port
        threading.Thread(target=self._rest.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._grpc.stop(grace=None).wait()
        self._rest.shutdown()
        self._rest.server_close()
        for connection in list(self._rest.connections):  # they would be served on
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def address(self, protocol):
        return f"127.0.0.1:{self.grpc_port if protocol == 'grpc' else self.rest_port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


def _bound(bind):
    """What `bind` returns, tried again where another program has the port for a moment."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(RuntimeError, OSError):
            return bind()
        time.sleep(0.1)
    return bind()


def _aborting(method):
    """A servicer's method that ends a `Fault` as gRPC wants it."""

    def guarded(self, request, context):
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            return method(self, request, spec, version)
        except Fault as fault:
            return context.abort(getattr(grpc.StatusCode, fault.args[0]), fault.args[1])

    return guarded


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self._model = model

    @_aborting
    def Predict(self, request, spec, version):
        name = spec.signature_name or "serving_default"
        tensors = {key: tf.constant(tf.make_ndarray(t)) for key, t in request.inputs.items()}
        answer = predict_pb2.PredictResponse()
        for key, tensor in self._model.predict(spec.name, version, name, tensors).items():
            answer.outputs[key].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
        return answer

    @_aborting
    def GetModelMetadata(self, request, spec, version):
        return self._model.metadata(spec.name, version)


class Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, model):
        self._model = model

    @_aborting
    def GetModelStatus(self, request, spec, version):
        return self._model.status(spec.name, version)


class Rest(ThreadingHTTPServer):
    request_queue_size = 256  # connections that wait to be accepted; five by default

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connections = set()

    def finish_request(self, request, client_address):
        self.connections.add(request)
        try:
            super().finish_request(request, client_address)
        except OSError:  # of a connection that was cut
            pass
        finally:
            self.connections.discard(request)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    wbufsize = -1  # one packet an answer

    def do_GET(self):
        self._reply(self._get)

    def do_POST(self):
        self._reply(self._post)

    def _get(self, name, version, verb, metadata):
        model = self.server.model
        answer = model.metadata(name, version) if metadata else model.status(name, version)
        options = {"preserving_proto_field_name": True, WITH_DEFAULTS: True}
        return json_format.MessageToDict(answer, **options)

    def _post(self, name, version, verb, metadata):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.limit and len(body) > self.server.limit:
            raise Fault("TOO_LARGE", "Request Entity Too Large")
        if not verb:
            raise Fault("INVALID_ARGUMENT", f"Malformed request: POST {self.path}")
        try:
            request = json.loads(body)
        except ValueError as error:
            raise Fault("INVALID_ARGUMENT", f"JSON Parse error: {error}") from error
        return rest_prediction(self.server.model, name, version, request)

    def _reply(self, method):
        try:
            parts = PATH.fullmatch(self.path)
            if parts is None:
                raise Fault("INVALID_ARGUMENT", f"Malformed request: {self.path}")
            version = parts[2] and int(parts[2])
            code, answer = 200, method(parts[1], version, parts[3], parts[4])
        except Fault as fault:
            code = 413 if fault.args[0] == "TOO_LARGE" else HTTP_CODES.get(fault.args[0], 500)
            answer = {"error": fault.args[1]}
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def rest_prediction(model, name, version, request):
    """A JSON request, in rows ("instances") or columns ("inputs"), to its JSON answer."""
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise Fault("INVALID_ARGUMENT", "Expected a JSON object with 'instances' or 'inputs'")
    signature_name = request.get("signature_name", "serving_default")
    specs = model.signature(name, version, signature_name)[1]
    given = request.get("inputs", request.get("instances"))
    if "instances" in request and given and _is_named(given[0]):
        given = {key: [row[key] for row in given if key in row] for key in given[0]}
    elif not _is_named(given):  # a single input needs no name
        given = {next(iter(specs)): given}
    tensors = {key: _tensor(values, specs.get(key)) for key, values in given.items()}
    outputs = model.predict(name, version, signature_name, tensors)
    values = {key: _json(tensor.numpy().tolist(), key) for key, tensor in outputs.items()}
    single = next(iter(values.values())) if len(values) == 1 else None
    if "inputs" in request:
        return {"outputs": values if single is None else single}
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return {"predictions": rows if single is None else single}


def _is_named(value):
    return isinstance(value, dict) and set(value) != {"b64"}


def _tensor(values, spec):
    try:
        return tf.constant(_plain(values), spec and spec.dtype)
    except (TypeError, ValueError) as error:
        raise Fault("INVALID_ARGUMENT", f"JSON Value: {values} {error}") from error


def _plain(values):
    if isinstance(values, list):
        return [_plain(value) for value in values]
    if isinstance(values, dict):
        if set(values) != {"b64"}:
            raise ValueError("not formatted correctly for base64 data")
        return base64.b64decode(values["b64"], validate=True)
    return values


def _json(values, key):
    if isinstance(values, list):
        return [_json(value, key) for value in values]
    if isinstance(values, bytes):
        named_bytes = key.endswith("_bytes")
        return {"b64": base64.b64encode(values).decode()} if named_bytes else values.decode()
    return values
