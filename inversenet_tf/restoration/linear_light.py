"""Restoring in light: a camera blurs that, and then stores its power of one over gamma."""

from inversenet_tf.imaging.checks import check_positive
from inversenet_tf.imaging.physics.light import from_light, to_light
from inversenet_tf.restoration.restorers import Restorer


class LinearLightRestorer(Restorer):
    """A restorer whose measurements are brought to light first, and its images back.

    Args:
        restorer: one of measurements in light. The noise that it is told is that of the light.
        gamma: of the files: light is their value to that power.

    Raises:
        ValueError: a gamma that is not positive.
    """

    def __init__(self, restorer: Restorer, gamma: float):
        check_positive("gamma", gamma)
        self._restorer, self._gamma = restorer, gamma

    @property
    def spec(self):
        """That of the restorer."""
        return self._restorer.spec

    @property
    def kernel_use(self):
        return self._restorer.kernel_use

    @property
    def measured_channels(self):
        return self._restorer.measured_channels

    def close(self):
        self._restorer.close()

    def estimates(self, measurements, *told):
        outputs = self._restorer.estimates(to_light(measurements, self._gamma), *told)
        return {name: from_light(images, self._gamma) for name, images in outputs.items()}
