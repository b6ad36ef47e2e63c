"""Restoring in light: a camera blurs that, and then stores its power of one over gamma."""

from inversenet_tf.imaging.checks import check_positive
from inversenet_tf.imaging.physics.light import from_light, to_light
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.restorers_around import RestorerAround


class LinearLightRestorer(RestorerAround):
    """A restorer whose measurements are brought to light first, and its images back.

    Args:
        restorer: one of measurements in light. The noise that it is told is that of the light.
        gamma: of the files: light is their value to that power.

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
