"""Writes the results of an inversion to a directory: images, operators and numbers."""

from pathlib import Path

import keras
import numpy as np

from blind_gan_tf.operator_report import responses
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.images import write_image

RECOVERED = "recovered"  # directory of the images
SURROGATES = "surrogate"  # directory of the estimated operators, one Keras file for each group
RESPONSES = "operator"  # directory of their responses to one bright pixel
NUMBERS_FILE = "inversion.npz"


def save_inversion(inversion, directory, names=None):
    """Writes an `Inversion`, as described in `Inversion.save`."""
    directory = Path(directory).expanduser()
    images = inversion.images
    names = names or [f"{index:03d}" for index in range(len(images))]
    write_recovered(images, directory, names)
    channels, side = images.shape[1] * images.shape[-1], images.shape[2]
    for group, operator in enumerate(inversion.operators):
        write_operator(operator, responses(operator, channels, side), directory, group)
    with written_aside(directory / NUMBERS_FILE) as partial:
        np.savez_compressed(
            partial,
            latents=inversion.latents,
            images=images,
            estimates=inversion.estimates,
            residuals=inversion.residuals,
        )


def write_recovered(images, directory, names, folder=RECOVERED):
    """Writes images [N, sources, height, width, channels] as `NAME.png` or `NAME-SOURCE.png`."""
    for name, own in zip(names, images, strict=True):
        for source, image in enumerate(own):
            suffix = f"-{source}" if len(own) > 1 else ""
            write_image(directory / folder / f"{name}{suffix}.png", image)


def write_operator(operator, response, directory, group):
    """Writes a group's operator, if it is a Keras model, and its response."""
    if isinstance(operator, keras.Model):
        with written_aside(directory / SURROGATES / f"{group:03d}.keras") as partial:
            operator.save(partial)
    with written_aside(directory / RESPONSES / f"{group:03d}.npy") as partial:
        np.save(partial, response)
