"""A client learns from the server what its model restores, and says what does not fit."""

import dataclasses

import numpy as np
from loopback_server import LoopbackServer
from PIL import Image

from inversenet_tf.client.connection import connect
from inversenet_tf.client.served_restorer import ServedRestorer
from inversenet_tf.exporting.inversenet import export_model
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.unet import UNet
from inversenet_tf.restoration.photographs import restore_files


def test_what_a_server_tells(tmp_path, caplog, protocol):
    known = Degradation([[0.0, 0.0, 1.0]], noise_sigma=0.001)  # which moves by one pixel
    model = InverseNet(UNet(2, global_skip=True))
    export_model(model, tmp_path / "export", {"degradation": dataclasses.asdict(known)})
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with LoopbackServer(tmp_path / "export", "deblur") as server:
        client = connect(server.address(protocol), "deblur", protocol=protocol)
        with ServedRestorer(client) as restorer:
            assert restorer.degradation == known
            restore_files(restorer, tmp_path / "a.png", tmp_path / "out")
    assert "1 of 1 photograph does not fit" in caplog.text


def test_an_older_export_tells_nothing(connected):
    restorer = ServedRestorer(connected())
    assert restorer.degradation is None
    pixels = np.zeros((40, 40, 3))
    assert restorer.fit(pixels, pixels) is None
