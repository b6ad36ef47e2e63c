"""TensorFlow Serving's REST API."""

import base64
import dataclasses
import json
import re
import threading
import time

import numpy as np
import requests
import urllib3

from inversenet_tf.client.errors import (
    MEANING_OF_HTTP,
    ServingError,
    TooLate,
    TryAgain,
    fault,
    one_line,
    other_protocol,
    untrusted,
)
from inversenet_tf.client.served import VersionStatus

CHUNK = 2**16  # bytes that are read at a time, at most


@dataclasses.dataclass(frozen=True)
class Answer:
    """A whole answer of a server."""

    status_code: int
    reason: str
    content: bytes

    @property
    def ok(self):
        """Whether the request succeeded."""
        return self.status_code < 400

    @property
    def text(self):
        """The content as text, with a mark for each byte that is none."""
        return self.content.decode("utf-8", "replace")

    def json(self):
        """The content as JSON, or `ValueError`."""
        return json.loads(self.content)


class RestTransport:
    """Requests restored images and the model's status over HTTP, from any thread."""

    def __init__(self, served):
        self._served = served
        scheme = "https" if served.secure else "http"
        self._model = f"{scheme}://{served.address}/v1/models/{served.model}"
        version = "" if served.version is None else f"/versions/{served.version}"
        self._version = f"{self._model}{version}"
        self._own = threading.local()  # a requests.Session is not thread-safe

    def predict(self, signature, inputs, names, timeout):
        """The outputs of one signature.

        Args:
            signature: its name.
            inputs: dict from name to a NumPy array of numbers, or to a list of bytes.
            names: of the outputs that are wanted.
            timeout: seconds to wait for the whole answer.

        Returns:
            dict from name to a float32 array, or to a list of bytes.

        Raises:
            ServingError, ImageRefused: see `errors.py`.
        """
        encoded = {name: _encoded(values) for name, values in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": encoded})
        answer = self._ask("POST", f"{self._version}:predict", timeout, body)
        if not answer.ok:
            raise self._fault(answer, len(body))
        try:
            outputs = answer.json()["outputs"]
            if not isinstance(outputs, dict):  # a single output comes without its name
                (name,) = names
                outputs = {name: outputs}
            return {name: _decoded(outputs[name]) for name in names}
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise self._unexpected(answer) from error

    def signatures(self, timeout):
        """{signature: {input: size of its last axis, or -1}}, from the server's metadata."""
        answer = self._ask("GET", f"{self._version}/metadata", timeout)
        if not answer.ok:
            raise self._fault(answer, sent=0)
        try:
            described = answer.json()["metadata"]["signature_def"]["signature_def"]
            return {
                signature: {
                    name: int(([{"size": -1}] + tensor["tensor_shape"].get("dim", []))[-1]["size"])
                    for name, tensor in definition["inputs"].items()
                }
                for signature, definition in described.items()
                if definition.get("inputs")
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unexpected(answer) from error

    def statuses(self, timeout):
        """List of the `VersionStatus` of all versions, empty for an unknown model."""
        answer = self._ask("GET", self._model, timeout)
        if answer.status_code == 404:
            return []
        if not answer.ok:
            raise self._fault(answer, sent=0)
        try:
            return [
                VersionStatus(
                    int(status["version"]),
                    status["state"],
                    status.get("status", {}).get("error_message", ""),
                )
                for status in answer.json()["model_version_status"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise self._unexpected(answer) from error

    def close(self):
        """Does nothing: the connections of each thread end with the thread."""

    def _ask(self, method, url, timeout, body=None):
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        deadline = time.monotonic() + timeout  # of the whole answer; requests limits single waits
        settings = {"timeout": timeout, "verify": self._served.ca_certificate or True}
        try:
            with self._own.session.request(
                method, url, data=body, stream=True, **settings
            ) as answer:
                return Answer(answer.status_code, answer.reason, _content_of(answer.raw, deadline))
        except requests.exceptions.SSLError as error:
            raise untrusted(self._served.address, str(error)) from error
        except (requests.exceptions.ConnectionError, urllib3.exceptions.ProtocolError) as e:
            if "BadStatusLine" in str(e):
                raise other_protocol(self._served.address, "REST") from e
            raise TryAgain(f"{self._served.address} is down: {_reason(e)}") from e
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
            raise TooLate(
                f"no answer from {self._served.address} within {timeout:.1f} s"
            ) from error
        except (
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise ServingError(
                f"Expected an answer from {self._served.address}. Received: {one_line(str(error))}"
            ) from error

    def _fault(self, answer, sent):
        code = MEANING_OF_HTTP.get(answer.status_code, f"HTTP {answer.status_code}")
        try:
            text = answer.json()["error"]
        except (ValueError, KeyError, TypeError):  # a proxy's, not TensorFlow Serving's
            text = answer.text or answer.reason
        return fault(code, text, sent, self._served.address)

    def _unexpected(self, answer):
        return ServingError(
            f"Expected an answer from TensorFlow Serving at {self._served.address}. "
            f"Received: {one_line(answer.text)!r}"
        )


def _content_of(raw, deadline):
    """Reads the content of an answer, or raises `requests.exceptions.Timeout` at the deadline."""
    parts = []
    while part := raw.read1(CHUNK, decode_content=True):
        parts.append(part)
        if time.monotonic() > deadline:
            raise requests.exceptions.Timeout
    return b"".join(parts)


def _encoded(values):
    """Encodes a tensor for JSON."""
    if isinstance(values, np.ndarray):
        return values.tolist()
    return [{"b64": base64.b64encode(content).decode()} for content in values]


def _decoded(values):
    """Decodes a tensor from JSON."""
    if isinstance(values[0], dict):
        return [base64.b64decode(content["b64"]) for content in values]
    return np.asarray(values, np.float32)


def _reason(error):
    """The cause of an error, without the layers that requests and urllib3 wrap around it."""
    text = str(error)
    reason = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text) or re.search(r"'([^']+)'\)+$", text)
    return reason[1] if reason else one_line(text)
