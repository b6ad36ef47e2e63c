"""The inputs and outputs of a model, described by the model itself or by an export's metadata."""

import dataclasses
from typing import TYPE_CHECKING

from inversenet_tf.imaging.checks import check_choice, check_positive, check_range
from inversenet_tf.imaging.config import BOUNDARIES
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.files.images import PILLOW_MODES
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.footprint import SCRATCH, peak_bytes_per_pixel

if TYPE_CHECKING:
    from inversenet_tf.models.inversenet import InverseNet  # an export does without it

# Limits for untrusted metadata: an image is padded to multiples, and enlarged, in memory.
LARGEST_SCALE, LARGEST_MULTIPLE = 2**8, 2**14


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """The inputs and outputs of a model.

    Attributes:
        measured_channels: 1 or 3, of a measurement.
        image_channels: 1 or 3, of a restored image.
        scale: how many times larger the restored image is, along each side.
        multiple: a measurement's sides are padded to multiples of it.
        boundary: how they are padded, one of `BOUNDARIES`.
        bytes_per_pixel: memory that restoring takes for each pixel of the measurement.
        kernel: whether a blur kernel is "required" with each measurement, "optional" (the model has
            its own), or "none": the model accepts none.
    """

    measured_channels: int
    image_channels: int
    scale: int
    multiple: int
    boundary: str
    bytes_per_pixel: float
    kernel: str = kernel_use.NONE


def spec_of(model: "InverseNet", bytes_per_pixel: float | None = None) -> ImageSpec:
    """The `ImageSpec` of an `InverseNet`.

    Args:
        model: the `InverseNet`.
        bytes_per_pixel: as in the `ImageSpec`, if already known; None to determine it by tracing
            the model.

    Raises:
        ValueError: the model takes images of one size only.
    """
    channels, multiple = model.measured_channels, model.multiple
    if model.fixed_size is not None:
        height, width = model.fixed_size
        raise ValueError(
            "Expected a network for images of any size, which photographs and exports need. "
            f"Received: one for only {height}x{width} pixels, which restores arrays of that size"
        )
    return ImageSpec(
        measured_channels=channels,
        image_channels=model.image_channels,
        scale=model.scale,
        multiple=multiple,
        boundary=model.boundary,
        bytes_per_pixel=bytes_per_pixel or _bytes_per_pixel_of(model),
        kernel=model.kernel_use,
    )


def _bytes_per_pixel_of(model):
    estimates = model.frozen_restore()

    def restore(measurements):
        return estimates(model.taken_for_sharp(measurements))

    return SCRATCH * peak_bytes_per_pixel(restore, model.measured_channels, model.multiple)


def spec_from(metadata):
    """The `ImageSpec` in the metadata of an export or of a converted file.

    Raises:
        ValueError: it is not one that a model can have.
    """
    spec = config_from_dict(ImageSpec, metadata.get("images"))
    check_choice("kernel", spec.kernel, kernel_use.ALL)
    check_choice("boundary", spec.boundary, BOUNDARIES)
    check_positive("bytes_per_pixel", spec.bytes_per_pixel)
    for channels in (spec.measured_channels, spec.image_channels):
        check_choice("channels", channels, PILLOW_MODES)
    check_range("scale", spec.scale, 1, LARGEST_SCALE)
    check_range("multiple", spec.multiple, 1, LARGEST_MULTIPLE)
    return spec


def degradation_from(metadata: dict) -> Degradation | None:
    """The degradation in the metadata of an export or of a converted file; None if it has none.

    Raises:
        ValueError: it is not one that an operator can have.
    """
    fields = metadata.get("degradation")
    if fields is None:
        return None
    known, scale = Degradation.from_dict(fields), spec_from(metadata).scale
    if known.scale != scale:
        raise ValueError(f"Expected a degradation of scale {scale}. Received: {known.scale}")
    return known
