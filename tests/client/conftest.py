"""A toy export that turns images into their negatives, and servers of it on this machine."""

import io

import numpy as np
import pytest
import tensorflow as tf
from loopback_server import LoopbackServer
from PIL import Image

from inversenet_tf.client.connection import connect

PROTOCOLS = ("rest", "grpc")


class Negative(tf.Module):
    """`restored = 1 - measurements`, with the signatures of an export."""

    tensors = tf.TensorSpec((None, None, None, 3), tf.float32, "measurements")
    files = tf.TensorSpec((None,), tf.string, "image_bytes")

    @tf.function(input_signature=[tensors])
    def restore(self, measurements):
        return {"restored": 1.0 - measurements}

    @tf.function(input_signature=[tensors])
    def restore_with_intermediate(self, measurements):
        return {"restored": 1.0 - measurements, "inverted": measurements}

    @tf.function(input_signature=[files])
    def restore_bytes(self, image_bytes):
        def restore_one(contents):
            image = tf.io.decode_image(contents, channels=3, expand_animations=False)
            return tf.io.encode_png(255 - image)

        return {
            "restored_bytes": tf.map_fn(restore_one, image_bytes, fn_output_signature=tf.string)
        }


@pytest.fixture(scope="session")
def negatives(tmp_path_factory):
    """The directory of an export with version 3."""
    directory, module = tmp_path_factory.mktemp("export"), Negative()
    names = ("restore_with_intermediate", "restore_bytes")
    signatures = {"serving_default": module.restore} | {n: getattr(module, n) for n in names}
    tf.saved_model.save(module, str(directory / "3"), signatures)
    return directory


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """What the environment says of proxies is not for this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def server(negatives):
    """A running server of the export."""
    with LoopbackServer(negatives, "negative") as running:
        yield running


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


@pytest.fixture
def connected(server, protocol):
    """`connected(**changes)` is a client of the server, over each protocol."""
    clients = []

    def new(model="negative", timeout=20.0, **others):
        address = server.address(protocol)
        clients.append(connect(address, model, protocol=protocol, timeout=timeout, **others))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def noise():
    """`noise(seed)` is [height, width, 3] of uint8 whose size and values depend on the seed."""

    def pixels(seed):
        generator = np.random.default_rng(seed)
        return generator.integers(0, 256, (*generator.integers(5, 40, 2), 3), np.uint8)

    return pixels


@pytest.fixture
def encoded():
    """`encoded(pixels, "PNG")` is the contents of an image file."""

    def contents(pixels, kind="PNG", **options):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()

    return contents


@pytest.fixture
def decoded():
    """`decoded(contents)` is the pixels of an image file as TensorFlow decodes it, uint8."""

    def pixels(contents):
        return tf.io.decode_image(contents, channels=3, expand_animations=False).numpy()

    return pixels
