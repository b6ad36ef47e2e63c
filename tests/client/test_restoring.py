"""One image at a time, over both protocols, of a server that is well or is not."""

import contextlib
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from loopback_model import Fault
from loopback_server import LoopbackServer

from inversenet_tf.client.connection import connect
from inversenet_tf.client.errors import ImageRefused, ServingError, TooLate
from inversenet_tf.client.rest import RestTransport
from inversenet_tf.client.served import Served


def test_an_image_is_restored(connected, noise, encoded, decoded):
    pixels = noise(0)
    restored = connected().restore_bytes(encoded(pixels))
    np.testing.assert_array_equal(decoded(restored), 255 - pixels)


def test_both_protocols_give_the_same_bytes(server, noise, encoded):
    contents, answers = encoded(noise(1), "JPEG"), []
    for protocol in ("rest", "grpc"):
        with connect(server.address(protocol), "negative", version=3, protocol=protocol) as client:
            answers.append(client.restore_bytes(contents))
    assert answers[0] == answers[1]


def test_every_one_of_200_at_once_gets_its_own_answer(connected, noise, encoded, decoded):
    def request(seed):
        if seed % 10 == 9:
            return encoded(noise(seed))[:60] if seed % 20 == 9 else b"no image"
        pixels = noise(seed)[..., 0] if seed % 3 == 0 else noise(seed)
        return encoded(pixels, "JPEG" if seed % 2 else "PNG")

    requests = [request(seed) for seed in range(200)]
    client, together = connected(timeout=60.0), threading.Barrier(200)

    def restore(contents):
        together.wait()
        try:
            return client.restore_bytes(contents)
        except ImageRefused as error:
            return error

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(restore, requests))
    refused = [seed for seed, answer in enumerate(answers) if isinstance(answer, ImageRefused)]
    assert refused == list(range(9, 200, 10))
    for seed, answer in enumerate(answers):
        if seed not in refused:
            np.testing.assert_array_equal(decoded(answer), 255 - decoded(requests[seed]))


def test_a_malformed_image_is_refused_at_once(server, connected):
    with pytest.raises(ImageRefused, match="image that 127.0.0.1:.* can read. Received: .*mage"):
        connected().restore_bytes(b"no image")
    assert server.model.predictions == 1


def test_a_model_that_loads_is_waited_for(server, connected, noise, encoded, warned):
    server.model.state = "START"
    for seconds, state in ((0.2, "LOADING"), (0.5, "AVAILABLE")):
        threading.Timer(seconds, setattr, (server.model, "state", state)).start()
    assert connected().restore_bytes(encoded(noise(0)))
    assert warned().count("is still loading the model 'negative'") == 1
    assert server.model.predictions == 1


def test_a_model_that_loads_too_long(server, connected):
    server.model.state = "LOADING"
    with pytest.raises(ServingError, match=r"within 0.5 s \(--timeout\). .* still loading"):
        connected(timeout=0.5).restore_bytes(b"")


def test_a_model_that_failed_to_load(server, connected):
    server.model.state, server.model.load_error = "END", "Could not find\nmeta graph"
    with pytest.raises(ServingError, match="version 3 .* loading failed: Could not find meta gr"):
        connected().restore_bytes(b"")


def test_a_model_that_was_unloaded(server, connected):
    server.model.state = "END"
    with pytest.raises(ServingError, match="it has unloaded"):
        connected().restore_bytes(b"")


def test_what_is_not_served(connected):
    with pytest.raises(ServingError, match="Received: 'other', of which it has no version"):
        connected(model="other").restore_bytes(b"")
    with pytest.raises(ServingError, match=r"knows: \[3\]. Received: 4"):
        connected(version=4).restore_bytes(b"")


def test_an_export_without_the_signature(server, connected):
    server.model.loaded.signatures._signatures.pop("restore_bytes")
    with pytest.raises(ServingError, match='signatures of an export .*"restore_bytes" not found'):
        connected().restore_bytes(b"")


def test_a_server_that_is_down(server, connected):
    server.stop()
    with pytest.raises(ServingError, match="within 1 s .*--timeout.* is down.*onnection refused"):
        connected(timeout=1.0).restore_bytes(b"")
    server.start()


def test_a_server_that_comes_back(server, connected, noise, encoded):
    client = connected()
    assert client.restore_bytes(encoded(noise(0)))
    server.stop()
    threading.Timer(0.4, server.start).start()
    assert client.restore_bytes(encoded(noise(1)))


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_an_overloaded_server_is_asked_again(server, connected, noise, encoded, code):
    message = "The batch scheduling queue to which this task was submitted is full"
    server.model.faults = [(code, message)] * 2
    assert connected().restore_bytes(encoded(noise(0)))
    assert server.model.predictions == 3
    server.model.faults = [(code, message)] * 100
    with pytest.raises(ServingError, match="overloaded: The batch scheduling queue"):
        connected(timeout=0.5).restore_bytes(b"")


def test_memory_that_does_not_suffice(server, connected):
    server.model.faults = [("RESOURCE_EXHAUSTED", "OOM when allocating tensor with shape[1,9]")]
    with pytest.raises(ImageRefused, match="memory of .* OOM when allocating"):
        connected().restore_bytes(b"")


def test_any_other_fault_is_not_repeated(server, connected):
    server.model.faults = [("INTERNAL", "a bug")]
    with pytest.raises(ServingError, match="restored image from .* a bug"):
        connected().restore_bytes(b"")


def test_a_request_that_is_too_large(negatives, protocol, noise, encoded):
    large = encoded(np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8))
    with (
        LoopbackServer(negatives, "negative", limit=200_000) as server,
        connect(server.address(protocol), "negative", protocol=protocol) as client,
    ):
        with pytest.raises(ImageRefused, match=r"raise its limit.*Received: (0.7|1.0) MiB"):
            client.restore_bytes(large)
        assert client.restore_bytes(encoded(noise(0)))


def test_results_of_many_megabytes_arrive(connected, encoded, decoded):
    """gRPC takes 4 MiB unless told otherwise."""
    large = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    restored = connected().restore_bytes(encoded(large, compress_level=1))
    assert len(restored) > 6e6
    np.testing.assert_array_equal(decoded(restored), 255 - large)


def test_an_image_that_takes_too_long(server, connected):
    """A server that is well otherwise blames the image; one that fell silent, itself."""
    server.model.before_prediction = lambda: time.sleep(1.0)
    with pytest.raises(ImageRefused, match="restores in time: raise --timeout"):
        connected(timeout=0.3).restore_bytes(b"")
    server.model.status = silent
    with pytest.raises(ServingError, match=r"'negative' within 0.3 s \(--timeout\)"):
        connected(timeout=0.3).restore_bytes(b"")


@pytest.mark.parametrize("head", [b"Content-Length: 100000\r\n\r\n", b"\r\n"])
def test_an_answer_that_drips_is_given_up_at_the_deadline(head):
    ended = threading.Event()

    def drip(listening):
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
            while not ended.wait(0.02):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening,), daemon=True)
        dripping.start()
        transport = RestTransport(Served(f"127.0.0.1:{listening.getsockname()[1]}", "negative"))
        with pytest.raises(TooLate, match="no answer from 127.0.0.1:.* within 0.3 s"):
            transport.signatures(0.3)
        ended.set()
        dripping.join()


def silent(*_):
    raise Fault("UNAVAILABLE", "silent")


def test_an_answer_of_something_else(server, protocol):
    """The port of the other protocol."""
    other = {"rest": "grpc", "grpc": "rest"}[protocol]
    with (
        connect(server.address(other), "negative", protocol=protocol, timeout=20.0) as client,
        pytest.raises(ServingError, match="usual port of REST is 8501, that of gRPC 8500"),
    ):
        client.restore_bytes(b"")


def test_missing_packages_are_named(monkeypatch):
    for module in ("inversenet_tf.client.rest", "inversenet_tf.client.over_grpc"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "requests", None)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    for protocol in ("rest", "grpc"):
        with pytest.raises(ValueError, match="pip install grpcio requests"):
            connect("localhost", "negative", protocol=protocol)


@pytest.mark.parametrize("wrong", ["", "ftp://a", "a:b", "localhost:0", "http://a/b", "a:99999"])
def test_addresses_that_are_none(wrong):
    with pytest.raises(ValueError, match="host:port or https://host:port. Received: "):
        connect(wrong, "negative")


@pytest.mark.parametrize(
    ("server", "protocol", "address", "secure"),
    [
        ("host", "rest", "host:8501", False),
        ("host", "grpc", "host:8500", False),
        ("http://host:1", "rest", "host:1", False),
        ("https://host", "grpc", "host:443", True),
        ("[::1]:2", "grpc", "[::1]:2", False),
    ],
)
def test_addresses(server, protocol, address, secure):
    served = Served(server, "negative", protocol=protocol)
    assert (served.address, served.secure) == (address, secure)


def test_arguments_that_cannot_be():
    with pytest.raises(ValueError, match="timeout > 0. Received: 0"):
        connect("localhost", "negative", timeout=0)
    with pytest.raises(ValueError, match="name of a model. Received: 'a/b'"):
        connect("localhost", "a/b")
    with pytest.raises(ValueError, match="protocol in .* Received: 'http'"):
        connect("localhost", "negative", protocol="http")
    with pytest.raises(ValueError, match="https:// with ca_certificate. Received: 'localhost'"):
        connect("localhost", "negative", ca_certificate="ca.pem")
    with pytest.raises(ValueError, match="ca_certificate to be a file. Received: absent.pem"):
        connect("https://localhost", "negative", ca_certificate="absent.pem")
