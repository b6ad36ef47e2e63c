"""Stands in for a trained model, so that what comes out of a file can be told from what goes in."""

import os
import signal

import numpy as np

from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.restorers import Restorer

TINT = np.array([1.0, 0.5, 0.0], np.float32)  # what colouring makes of gray


class FakeRestorer(Restorer):
    """Gives measurements back: darker, larger, gray to orange, or as they are.

    Args:
        measured_channels, image_channels, scale: of its `ImageSpec`.
        gain: what values are multiplied by.
    """

    def __init__(self, measured_channels=3, image_channels=3, scale=1, gain=1.0):
        self.spec = ImageSpec(measured_channels, image_channels, scale, 1, "reflect", 100.0)
        self.gain = gain
        self.shapes = []

    def estimates(self, measurements):
        self.shapes.append(measurements.shape)
        assert measurements.dtype == np.float32 and measurements.shape[-1] == (
            self.spec.measured_channels
        )
        images = measurements * np.float32(self.gain)
        if self.spec.image_channels > self.spec.measured_channels:
            images = images * TINT
        for axis in (1, 2):
            images = np.repeat(images, self.spec.scale, axis)
        return {"restored": images}


class KillingRestorer(FakeRestorer):
    """Kills a process when it is given its third image, as a machine that goes down would.

    Args:
        pid: of the process.
    """

    def __init__(self, pid):
        super().__init__(gain=0.5)
        self.pid = pid

    def estimates(self, measurements):
        if len(self.shapes) == 2:
            os.kill(self.pid, signal.SIGKILL)
        return super().estimates(measurements)
