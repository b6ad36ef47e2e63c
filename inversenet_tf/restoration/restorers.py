"""A trained model in use, from Python: what restorers of every kind have in common."""

import abc
import numbers
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.files.photographs import Photograph
from inversenet_tf.imaging.files.pixels import to_channels
from inversenet_tf.imaging.physics.degradation import Degradation, Fit
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.arrays import as_gray_as, to_batch
from inversenet_tf.restoration.image_spec import ImageSpec
from inversenet_tf.restoration.tiling import restore_pixels


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
                '"solver_unet" or "solver_resnet". Received: one that restores only the blur it '
                "was trained for"
            )
        if kernel is None:
            raise ValueError("Expected a kernel, too, where the noise is told. Received: none")
        if noise is not None and not (isinstance(noise, numbers.Real) and 0 <= noise < 1):
            raise ValueError(f"Expected a noise in [0, 1). Received: {noise}")
        from inversenet_tf.imaging.physics.kernels import blur_kernel
        from inversenet_tf.restoration.restorers_around import ToldRestorer  # it builds on this one

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
