"""A trained model in use, from Python: out of a work directory, or out of an export."""

import abc
import dataclasses
import functools
import math
import numbers
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from absl import logging

from inversenet_tf.imaging.checks import check_choice, check_positive, check_range
from inversenet_tf.imaging.config import BOUNDARIES
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.files.images import PILLOW_MODES
from inversenet_tf.imaging.files.paths import taken_literally
from inversenet_tf.imaging.files.photographs import Photograph
from inversenet_tf.imaging.files.pixels import is_gray, to_channels
from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.imaging.physics.degradation import Degradation, Fit
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.arrays import to_batch
from inversenet_tf.restoration.footprint import SCRATCH, peak_bytes_per_pixel
from inversenet_tf.restoration.tiling import restore_pixels
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.serving.saved_models import latest_version, read_metadata

if TYPE_CHECKING:
    from inversenet_tf.models.inversenet import InverseNet  # an export does without it

# The signatures of an export, besides "serving_default".
INTERMEDIATE = "restore_with_intermediate"
FROM_BYTES = "restore_bytes"
WITH_KERNEL = "restore_with_kernel"
FROM_BYTES_WITH_KERNEL = "restore_bytes_with_kernel"
DESCRIBE = "describe"
# Pixels of an image that is restored sooner than a graph for it is compiled.
SMALL = 2**16
# What the metadata of others may ask for: an image is padded to multiples, and enlarged, in memory.
LARGEST_SCALE, LARGEST_MULTIPLE = 2**8, 2**14


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """What a model takes and gives.

    Attributes:
        measured_channels: 1 or 3, of a measurement.
        image_channels: 1 or 3, of a restored image.
        scale: how much larger the image is, along each side.
        multiple: what a measurement's sides are padded to a multiple of.
        boundary: how, one of `BOUNDARIES`.
        bytes_per_pixel: memory that restoring takes, for each pixel of the measurement.
        kernel: whether the kernel of the blur is "required" with each measurement, "optional" (the
            model has one of its own), or "none": the model cannot be told one.
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
        bytes_per_pixel: as in the `ImageSpec`, where it is known already; None to work it out, for
            which the model is traced.
    """
    channels, multiple = model.measured_channels, model.multiple
    if model.fixed_size is not None:
        height, width = model.fixed_size
        raise ValueError(
            "Expected a network for images of any size, as photographs and exports need it. "
            f"Received: one for {height}x{width} pixels alone, which restores arrays of that size"
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
    """The `ImageSpec` that an export's metadata, or a LiteRT file's, tell.

    Raises:
        ValueError: they tell none that a model could have.
    """
    spec = config_from_dict(ImageSpec, metadata["images"])
    check_choice("kernel", spec.kernel, kernel_use.ALL)
    check_choice("boundary", spec.boundary, BOUNDARIES)
    check_positive("bytes_per_pixel", spec.bytes_per_pixel)
    for channels in (spec.measured_channels, spec.image_channels):
        check_choice("channels", channels, PILLOW_MODES)
    check_range("scale", spec.scale, 1, LARGEST_SCALE)
    check_range("multiple", spec.multiple, 1, LARGEST_MULTIPLE)
    return spec


def degradation_from(metadata: dict) -> Degradation | None:
    """What the metadata of an export, or of a LiteRT file, tell of the operator and the noise.

    Raises:
        ValueError: something that no operator has.
    """
    fields = metadata.get("degradation")
    if fields is None:
        return None
    known, scale = Degradation.from_dict(fields), spec_from(metadata).scale
    if known.scale != scale:
        raise ValueError(f"Expected a degradation of scale {scale}. Received: {known.scale}")
    return known


def as_gray_as(pixels: np.ndarray, restored: np.ndarray, measured_channels: int) -> np.ndarray:
    """The restored pixels, gray where a photograph is, unless the network is one that colours.

    What is gray but stored in colours stays so, without the faint colours of a network.
    """
    channels = pixels.shape[-1]
    if channels < measured_channels:
        return to_channels(restored, 1)
    if channels == measured_channels == restored.shape[-1] == 3 and is_gray(pixels):
        return to_channels(to_channels(restored, 1), 3)
    return restored


class Restorer(abc.ABC):
    """A trained model in use, as a function of arrays, wherever it comes from.

    Example:
        ```python
        restorer = inversenet_tf.load("runs/mine")
        restored = restorer(inversenet_tf.read_image("blurred.jpg"))
        ```

    Every kind has the same methods and gives the same: out of a work directory, an export, a LiteRT
    file, or from a server.

    Attributes:
        spec: the `ImageSpec`.
        degradation: the `Degradation` that it restores; None where nothing is known of it.
    """

    spec: ImageSpec
    degradation: Degradation | None = None
    _has_warned = False

    @property
    def measured_channels(self) -> int:
        """The number of channels of a measurement."""
        return self.spec.measured_channels

    @property
    def scale(self) -> int:
        """As `ImageSpec.scale`."""
        return self.spec.scale

    @property
    def kernel_use(self) -> str:
        """As `ImageSpec.kernel`."""
        return self.spec.kernel

    def __call__(
        self, images: np.ndarray, kernel: np.ndarray | None = None, noise: float | None = None
    ) -> np.ndarray:
        """Restores one image or a batch.

        Args:
            images: as `arrays.to_batch` takes them: one image or a batch, in [0, 1] or as integers
                of 8 or 16 bits.
            kernel, noise: of the blur and of the sensor, as for `told`; None for the model's own.

        Returns:
            float32 in [0, 1] of the same rank, `spec.scale` times as high and wide; gray where the
            images were gray and the model does not colour.

        Raises:
            ValueError: images of another rank, size, type or range.
        """
        if kernel is not None or noise is not None:
            return self.told(kernel, noise)(images)
        batch, undo = to_batch(images, self.measured_channels)
        restored = self.estimates(batch)["restored"]
        self._warn_of_misfits(self.fit(*pair) for pair in zip(batch, restored, strict=True))
        return undo(restored)

    def fit(self, measured: np.ndarray, restored: np.ndarray) -> Fit | None:
        """Whether a measurement came about as the restorer takes it to.

        What is restored, degraded again, is the measurement but for noise, rounding and what the
        restorer leaves. Where it is further away, the blur was another: the restoration is then
        likely to be worse than the measurement.

        Args:
            measured: [height, width, channels], in [0, 1] or as integers.
            restored: what the restorer made of it.

        Returns:
            None where the restorer knows no operator, or the image is too small to tell.
        """
        if self.degradation is None:
            return None
        return self.degradation.fit(np.asarray(measured), np.asarray(restored))

    def _warn_of_misfits(self, fits):
        """Logs the worst of some measurements that do not fit, once for each restorer."""
        misfits = () if self._warned() else [fit for fit in fits if fit and not fit.fits]
        if misfits:
            self._set_warned()
            worst = max(misfits, key=lambda fit: fit.distance)
            logging.warning(
                "A measurement does not fit the degradation that it is restored for: %s. The "
                "restoration is likely to be worse than it. Further ones are not named; a "
                "restorer's `fit` tells of each.",
                worst,
            )

    def _warned(self):
        return self._has_warned

    def _set_warned(self):
        self._has_warned = True

    def told(self, kernel: np.ndarray | None, noise: float | None = None) -> "Restorer":
        """The same model, told which blur its measurements have.

        Args:
            kernel: [height, width] of any size, or [height, width, 3] for one a channel; its centre
                is at (height // 2, width // 2), and it is scaled to sum 1.
            noise: standard deviation of the sensor's noise, in the units of [0, 1]; that of
                rounding to 8 bits is added. None for no other.

        Returns:
            A restorer of measurements with that blur.

        Raises:
            ValueError: no kernel, one with negative values, or a model that cannot be told one.
        """
        if self.kernel_use == kernel_use.NONE:
            raise ValueError(
                "Expected a model that can be told a kernel: one with network.inverter "
                '"solver_unet". Received: one that restores only the blur it was trained for'
            )
        if kernel is None:
            raise ValueError("Expected a kernel, too, where the noise is told. Received: none")
        if noise is not None and not (isinstance(noise, numbers.Real) and 0 <= noise < 1):
            raise ValueError(f"Expected a noise in [0, 1). Received: {noise}")
        from inversenet_tf.imaging.physics.kernels import (
            blur_kernel,
        )  # with readers of kernel files

        return ToldRestorer(self, blur_kernel(kernel), noise or 0.0)

    def restore_photograph(
        self,
        photograph: Photograph,
        path: str | Path | None = None,
        max_memory: int | None = None,
        report: Callable[[float], None] | None = None,
    ) -> np.ndarray:
        """Restores one `Photograph`, in the colours that the network works in.

        A gray photograph stays gray, unless the network is one that colours; of a colour
        photograph, a network of one channel gets and gives the luma, or the colours it finds for
        it.

        Args:
            photograph: a `Photograph`.
            path: of its file; a served model is sent that.
            max_memory, report: as for `restore_pixels`.

        Returns:
            The pixels, of the photograph's type: [height * scale, width * scale, 1 or 3].
        """
        restored, fit = self.restore_and_compare(photograph, path, max_memory, report)
        self._warn_of_misfits([fit])
        return restored

    def restore_and_compare(
        self,
        photograph: Photograph,
        path: str | Path | None = None,
        max_memory: int | None = None,
        report: Callable[[float], None] | None = None,
    ) -> tuple[np.ndarray, Fit | None]:
        """(what `restore_photograph` gives, how well the photograph fits, as `fit` tells it)."""
        measured = to_channels(photograph.pixels, self.measured_channels)
        restored = restore_pixels(self, measured, max_memory, report)
        fit = self.fit(measured, restored)
        return as_gray_as(photograph.pixels, restored, measured.shape[-1]), fit

    def close(self) -> None:  # noqa: B027 (most kinds have nothing open)
        """Ends what a restorer has open: the connections to a server; else nothing."""

    def __enter__(self) -> "Restorer":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @abc.abstractmethod
    def estimates(
        self,
        measurements: np.ndarray,
        kernels: np.ndarray | None = None,
        noise_sigmas: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Both estimates of a batch of measurements.

        Args:
            measurements: float32 [batch, height, width, channels] in [0, 1].
            kernels: [batch, kernel height, kernel width(, channels)], where the model can be told
                them; None for the model's own.
            noise_sigmas: [batch]; with kernels.

        Returns:
            `inverted` (z, the inverter's) and `restored` (the denoiser's; without a denoiser the
            same as `inverted`), NumPy arrays in [0, 1].
        """


class RestorerAround(Restorer):
    """A restorer that works by another one, whose measurements or images it changes."""

    def __init__(self, restorer: Restorer):
        self._restorer = restorer

    @property
    def spec(self) -> ImageSpec:
        """That of the restorer."""
        return self._restorer.spec

    @property
    def kernel_use(self) -> str:
        return self._restorer.kernel_use

    @property
    def measured_channels(self) -> int:
        return self._restorer.measured_channels

    def close(self) -> None:
        self._restorer.close()

    def _warned(self):
        return self._restorer._warned()

    def _set_warned(self):
        self._restorer._set_warned()


class InformedRestorer(RestorerAround):
    """A restorer that gets the kernels of its measurements from elsewhere than its caller."""

    kernel_use = kernel_use.NONE

    @property
    def spec(self) -> ImageSpec:
        """That of the restorer, which now needs no kernel."""
        return dataclasses.replace(super().spec, kernel=kernel_use.NONE)


class ToldRestorer(InformedRestorer):
    """A restorer that was told the kernel and the noise of all its measurements."""

    def __init__(self, restorer, kernel, noise):
        super().__init__(restorer)
        self._kernel = kernel
        self._noise = noise

    @property
    def degradation(self) -> Degradation:
        """With the kernel and the noise that it was told."""
        known = self._restorer.degradation or Degradation(None, self._restorer.scale)
        return known.told(self._kernel, self._noise)

    def estimates(self, measurements):
        """As of every `Restorer`, each measurement with the kernel that was told."""
        count, size = len(measurements), tuple(np.shape(measurements)[1:3])
        sides = zip(self._kernel.shape, size, strict=False)
        if any(kernel > side * self._restorer.scale for kernel, side in sides):
            raise ValueError(
                "Expected a kernel no larger than the image. Received: kernel "
                f"{self._kernel.shape[:2]}, image {size}"
            )
        kernels = np.broadcast_to(self._kernel, (count, *self._kernel.shape))
        return self._restorer.estimates(
            measurements, kernels, np.full(count, self._noise, np.float32)
        )


class ModelRestorer(Restorer):
    """A trained `InverseNet`, with its present weights, as one compiled function for every size.

    The first image, where it is small, is restored without compiling, which would take several
    times as long as the restoration. The results differ by rounding alone.

    Args:
        model: the `InverseNet`.
        degradation: what it was trained for, where that is known.
        bytes_per_pixel: as for `spec_of`.
    """

    def __init__(
        self,
        model: "InverseNet",
        degradation: Degradation | None = None,
        bytes_per_pixel: float | None = None,
    ):
        self.degradation = degradation
        self._plainly = model.frozen_restore()
        channels = model.measured_channels
        signature = [tf.TensorSpec((None, None, None, channels), tf.float32, "measurements")]
        # Keras calls no layer through autograph, which takes as long as to trace the graph.
        compiled = functools.partial(tf.function, self._plainly, autograph=False)
        self._restore = compiled(input_signature=signature)
        self._restore_told = compiled(reduce_retracing=True)
        self._model = model
        self._bytes_per_pixel = bytes_per_pixel
        self._has_restored = False

    @property
    def measured_channels(self):
        """The model knows its channels; to work out the whole `spec` would trace it once more."""
        return self._model.measured_channels

    @property
    def kernel_use(self):
        return self._model.kernel_use

    @property
    def scale(self):
        return self._model.scale

    @functools.cached_property
    def spec(self):
        """The `ImageSpec`, worked out when it is first asked for."""
        return spec_of(self._model, self._bytes_per_pixel)

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        size, expected = tuple(np.shape(measurements)[1:3]), self._model.fixed_size
        if expected not in (None, size):
            raise ValueError(
                "Expected measurements of {}x{} pixels, the only ones that this network takes. "
                "Received: {}x{}".format(*expected, *size)
            )
        if kernels is None:
            inputs, restore = tf.convert_to_tensor(measurements, tf.float32), self._restore
        else:
            inputs, restore = as_told(measurements, kernels, noise_sigmas), self._restore_told
        if not self._has_restored and math.prod(size) * self.scale**2 <= SMALL:
            restore = self._plainly
        self._has_restored = True
        restored = restore(inputs)
        outputs = {name: images.numpy() for name, images in restored.items()}
        return {"inverted": outputs["restored"]} | outputs


class ExportedRestorer(Restorer):
    """A SavedModel that `export` wrote; needs nothing of the training.

    Args:
        directory: a SavedModel, or a directory of versions, of which the latest is taken.
        trusted: whether its graphs may do more than compute, see `check_operations`.

    Raises:
        ValueError: there is none, it restores no images, or its graphs do more than compute.
    """

    def __init__(self, directory: str | Path, trusted: bool = False):
        path = latest_version(directory)
        metadata = read_metadata(path)
        if "images" not in metadata:
            raise ValueError(
                f"Expected the export of an InverseNet in {Path(directory)}. Received: one of a "
                f"{metadata.get('model')}."
            )
        self.spec = spec_from(metadata)
        self.degradation = degradation_from(metadata)
        if not trusted:
            check_operations(path)
        with taken_literally(path) as literal:
            self._loaded = tf.saved_model.load(str(literal))
        self._signatures = self._loaded.signatures

    def estimates(self, measurements, kernels=None, noise_sigmas=None):
        if kernels is not None:
            outputs = self._signatures[WITH_KERNEL](**as_told(measurements, kernels, noise_sigmas))
        elif self.spec.kernel == kernel_use.REQUIRED:
            raise ValueError(kernel_use.IS_MISSING)
        else:
            measurements = tf.convert_to_tensor(measurements, tf.float32)
            outputs = self._signatures[INTERMEDIATE](measurements=measurements)
        return {name: images.numpy() for name, images in outputs.items()}
