"""The whole way: an InverseNet, its export, a server of it, the client, and back."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from loopback_server import LoopbackServer
from PIL import Image

from inversenet_tf.client.connection import connect
from inversenet_tf.client.errors import ImageRefused
from inversenet_tf.client.served_restorer import ServedRestorer
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.pixels import from_integers, to_luma
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.unet import UNet
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.photographs import restore_files

REQUESTS = 60
KINDS = (("PNG", "RGB"), ("JPEG", "RGB"), ("PNG", "L"), ("JPEG", "L"))


@pytest.fixture(scope="module")
def model():
    return InverseNet(UNet(2, global_skip=True), DAE(global_skip=True))


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "deblur"
    export_model(model, directory)
    return directory


def image_file(seed, encoded):
    generator = np.random.default_rng(seed)
    kind, mode = KINDS[seed % len(KINDS)]
    pixels = generator.integers(0, 256, (*generator.integers(5, 40, 2), 3), np.uint8)
    return encoded(np.asarray(Image.fromarray(pixels).convert(mode)), kind)


def expected_of(model, contents):
    measurement = read_image(io.BytesIO(contents))
    restored = model.restore(measurement[np.newaxis])["restored"].numpy()[0]
    with Image.open(io.BytesIO(contents)) as image:
        return to_luma(restored) if image.mode == "L" else restored


def test_many_requests_at_once_and_each_gets_its_answer(exported, model, protocol, encoded):
    """Every tenth is no image: refused, while the others beside it are answered."""
    files = [image_file(seed, encoded) for seed in range(REQUESTS)]
    files = [b"no image" if i % 10 == 9 else contents for i, contents in enumerate(files)]
    with LoopbackServer(exported, "deblur") as server:
        client = connect(server.address(protocol), "deblur", protocol=protocol)

        def ask(contents):
            try:
                return client.restore_bytes(contents)
            except ImageRefused as refusal:
                return refusal

        with client, ThreadPoolExecutor(REQUESTS) as pool:
            answers = list(pool.map(ask, files))
    for contents, answer in zip(files, answers, strict=True):
        if contents == b"no image":
            assert isinstance(answer, ImageRefused)
            continue
        with Image.open(io.BytesIO(answer)) as image:
            restored = from_integers(np.asarray(image)).reshape(image.height, image.width, -1)
        np.testing.assert_allclose(restored, expected_of(model, contents), atol=1.01 / 255)


def test_a_served_model_restores_arrays_as_the_model_does(exported, model, protocol):
    """Exactly, both estimates; and it tells what it takes, as any restorer does."""
    measurements = np.random.default_rng(0).random((2, 13, 22, 3)).astype(np.float32)
    own = ModelRestorer(model)
    with LoopbackServer(exported, "deblur") as server:
        client = connect(server.address(protocol), "deblur", protocol=protocol)
        with ServedRestorer(client) as restorer:
            estimates = restorer.estimates(measurements)
            assert (restorer.measured_channels, restorer.kernel_use) == (3, "none")
            assert (restorer.spec.image_channels, restorer.scale) == (3, 1)
            with pytest.raises(ValueError, match="model that can be given a kernel"):
                restorer(measurements, kernel=np.ones((3, 3)))
            restored = restorer(measurements)
    assert estimates.keys() == {"inverted", "restored"}
    for name, images in own.estimates(measurements).items():
        np.testing.assert_allclose(estimates[name], images, atol=1e-5)
    np.testing.assert_array_equal(restored, estimates["restored"])


def test_a_server_restores_files_as_the_model_does(exported, model, tmp_path, encoded):
    (tmp_path / "in").mkdir()
    for seed, kind in ((0, "png"), (2, "png")):  # in colours and gray
        (tmp_path / "in" / f"{seed}.{kind}").write_bytes(image_file(seed, encoded))
    with LoopbackServer(exported, "deblur") as server:
        restorer = ServedRestorer(connect(server.address("rest"), "deblur"))
        for name, each in (("served", restorer), ("own", ModelRestorer(model))):
            restore_files(each, tmp_path / "in", tmp_path / name, compare=True)
    for path in (tmp_path / "own").rglob("*.png"):
        pixels, others = (
            np.asarray(Image.open(tmp_path / name / path.relative_to(tmp_path / "own")), np.int16)
            for name in ("own", "served")
        )
        assert pixels.shape == others.shape and np.abs(pixels - others).max() <= 1
