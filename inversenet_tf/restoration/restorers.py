"""The interface that restorers of every kind have in common."""

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
    """A model as a function that restores arrays and photographs, wherever the model comes from.

    Example:
        ```python
        restorer = inversenet_tf.load("runs/mine")
        restored = restorer(inversenet_tf.read_image("blurred.jpg"))
        ```

    All kinds have the same methods, whether the model is in a work directory, an export, a
    converted file or on a server.

    Attributes:
        spec: the `ImageSpec`.
        degradation: the `Degradation` that it restores; None if it is not known.
        kernel_side: the longer side of a kernel that it was told, in pixels; 1 if it was told none.
    """

    spec: ImageSpec
    degradation: Degradation | None = None
    kernel_side: int = 1
    _has_warned = False

    @property
    def measured_channels(self) -> int:
        """The number of channels of a measurement."""
        return self.spec.measured_channels

    @property
    def scale(self) -> int:
        """See `ImageSpec.scale`."""
        return self.spec.scale

    @property
    def kernel_use(self) -> str:
        """See `ImageSpec.kernel`."""
        return self.spec.kernel

    def __call__(
        self, images: np.ndarray, kernel: np.ndarray | None = None, noise: float | None = None
    ) -> np.ndarray:
        """Restores one image or a batch.

        Args:
            images: as for `arrays.to_batch`: one image or a batch, in [0, 1] or as integers of 8 or
                16 bits.
            kernel, noise: of the blur and of the sensor, as for `told`; None for the model's own.

        Returns:
            float32 in [0, 1] of the same rank, `spec.scale` times as high and wide; gray if the
            images were gray and the model does not colour.

        Raises:
            ValueError: images of an unsuitable rank, size, type or range; or as for `told`.
        """
        if kernel is not None or noise is not None:
            return self.told(kernel, noise)(images)
        batch, undo = to_batch(images, self.measured_channels)
        restored = self.estimates(batch)["restored"]
        self._warn_of_misfits(self.fit(*pair) for pair in zip(batch, restored, strict=True))
        return undo(restored)

    def fit(self, measured: np.ndarray, restored: np.ndarray) -> Fit | None:
        """Whether a measurement fits the degradation that the restorer assumes.

        The restored image, degraded again, should equal the measurement up to noise, rounding and
        the restorer's own error. If it is further away, the blur was a different one, and the
        restoration is likely to be worse than the measurement.

        Args:
            measured: [height, width, channels], in [0, 1] or as integers.
            restored: the restorer's result for it.

        Returns:
            The `Fit`; None if the restorer knows no operator, or the image shows too little to
            tell.
        """
        if self.degradation is None:
            return None
        return self.degradation.fit(np.asarray(measured), np.asarray(restored))

    def _warn_of_misfits(self, fits):
        """Logs the worst of the measurements that do not fit, once for each restorer."""
        misfits = () if self._warned() else [fit for fit in fits if fit and not fit.fits]
        if misfits:
            self._set_warned()
            worst = max(misfits, key=lambda fit: fit.distance)
            logging.warning(
                "A measurement does not fit the degradation that the model restores: %s. The "
                "restoration is likely to be worse than the measurement. Further ones are not "
                "reported; use a restorer's `fit` to check each.",
                worst,
            )

    def _warned(self):
        return self._has_warned

    def _set_warned(self):
        self._has_warned = True

    def told(self, kernel: np.ndarray | None, noise: float | None = None) -> "Restorer":
        """The same model with a known kernel for all measurements.

        Args:
            kernel: [height, width] of any size, or [height, width, 3] for one per channel; its
                centre is at (height // 2, width // 2), and it is scaled to sum 1.
            noise: standard deviation of the sensor's noise, in the units of [0, 1]; that of
                rounding to 8 bits is added. None for rounding alone.

        Returns:
            A restorer of measurements with that blur.

        Raises:
            ValueError: no kernel, one with negative values, a noise outside [0, 1), or a model that
                accepts no kernel.
        """
        if self.kernel_use == kernel_use.NONE:
            raise ValueError(
                "Expected a model that can be given a kernel: one with network.inverter "
                '"solver_unet" or "solver_resnet". Received: one that restores only the blur it '
                "was trained for"
            )
        if kernel is None:
            raise ValueError("Expected a kernel as well if the noise is given. Received: none")
        if isinstance(noise, np.ndarray) and noise.ndim == 0:
            noise = noise.item()
        if noise is not None and not (isinstance(noise, numbers.Real) and 0 <= noise < 1):
            raise ValueError(f"Expected one number in [0, 1) as noise. Received: {noise!r}")
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
        """Restores one `Photograph`, converted to the channels that the network takes.

        A gray photograph stays gray, unless the network colours its images. A network for
        measurements of one channel gets the luma of a colour photograph, and returns gray or, if it
        colours, its own colours.

        Args:
            photograph: a `Photograph`.
            path: of its file, which is what a served model is sent.
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
        """Returns the pixels as `restore_photograph` does, and the photograph's `fit`."""
        measured = to_channels(photograph.pixels, self.measured_channels)
        restored = restore_pixels(self, measured, max_memory, report)
        fit = self.fit(measured, restored)
        return as_gray_as(photograph.pixels, restored, measured.shape[-1]), fit

    def close(self) -> None:  # noqa: B027 (most kinds have nothing open)
        """Closes the client of a server; does nothing for other restorers."""

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
        """Returns both estimates for a batch of measurements.

        Args:
            measurements: float32 [batch, height, width, channels] in [0, 1].
            kernels: [batch, kernel height, kernel width(, channels)], if the model accepts them;
                None for the model's own.
            noise_sigmas: [batch], with kernels only; None for no noise but that of rounding.

        Returns:
            dict of `inverted` (z, the inverter's) and `restored` (the denoiser's; without a
            denoiser the same as `inverted`), NumPy arrays in [0, 1].
        """
