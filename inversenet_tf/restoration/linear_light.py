"""Restoring in linear light: a camera blurs light, and then stores its power of 1 / gamma."""

from inversenet_tf.imaging.checks import check_positive
from inversenet_tf.imaging.physics.light import from_light, to_light
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.restorers_around import RestorerAround


class LinearLightRestorer(RestorerAround):
    """A restorer that converts measurements to linear light, and restored images back.

    Args:
        restorer: one of measurements in linear light. The noise level given to it is that of the
            light.
        gamma: of the files' encoding: light is their values to that power.

    Raises:
        ValueError: a gamma that is not positive.
    """

    def __init__(self, restorer: Restorer, gamma: float):
        check_positive("gamma", gamma)
        super().__init__(restorer)
        self._gamma = gamma

    def estimates(self, measurements, *told):
        outputs = self._restorer.estimates(to_light(measurements, self._gamma), *told)
        return {name: from_light(images, self._gamma) for name, images in outputs.items()}
