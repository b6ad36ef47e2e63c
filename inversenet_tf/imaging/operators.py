"""Forward operators: measurements = A(images), each with its adjoint.

Images and measurements are float32 [batch, height, width, channels]. Operators are linear, made
of stateless TensorFlow ops and so run eagerly, in `tf.data` and in a training step alike.
"""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.kernels import KERNELS

BOUNDARIES = ("circular", "reflect")


class Operator:
    """A linear map A from images to measurements.

    Subclasses implement `__call__`; one that changes the size or the bands of an image also
    declares `scale` or overrides `measurement_shape`.

    Attributes:
        scale: how many image pixels, along each side, one measurement pixel stands for.
        kernel: the [height, width(, channels)] point spread function, or None.
    """

    scale = 1
    kernel = None

    def __call__(self, images):
        """Returns A(images)."""
        raise NotImplementedError

    def measurement_shape(self, image_shape):
        """(height, width, channels) of the measurement of an image of that shape."""
        height, width, channels = image_shape
        return (height // self.scale, width // self.scale, channels)

    def adjoint(self, measurements, image_shape):
        """Returns A^T(measurements), of the given (height, width, channels).

        For a linear A the vector-Jacobian product is the adjoint, wherever it is taken.
        """
        zeros = tf.zeros([tf.shape(measurements)[0], *image_shape])
        with tf.GradientTape() as tape:
            tape.watch(zeros)
            measured = self(zeros)
        return tape.gradient(measured, zeros, output_gradients=measurements)

    def validate(self, image_shape):
        """Raises ValueError where images of (height, width, channels) cannot be measured."""


class Identity(Operator):
    """A(x) = x: for denoising."""

    def __call__(self, images):
        return images

    def adjoint(self, measurements, image_shape):
        return measurements


class Blur(Operator):
    """Convolution with a point spread function, one for all channels or one for each.

    Args:
        kernel: [height, width] or [height, width, channels]; its centre is at (height // 2,
            width // 2).
        boundary: "circular", the paper's block-circulant matrix (Appendix D.1), or "reflect".
    """

    def __init__(self, kernel, boundary="circular"):
        if boundary not in BOUNDARIES:
            raise ValueError(f"Expected boundary in {BOUNDARIES}. Received: {boundary!r}")
        self.kernel = np.asarray(kernel, np.float32)
        self.boundary = boundary
        height, width = self.kernel.shape[:2]
        self._centre = (height // 2, width // 2)
        self._reach = (height - 1 - height // 2, width - 1 - width // 2)

    def __call__(self, images):
        # TensorFlow's convolution is a correlation, hence the flipped kernel.
        return self._correlate(images, self.kernel[::-1, ::-1], self._reach, self._centre)

    def adjoint(self, measurements, image_shape):
        if self.boundary != "circular":
            return super().adjoint(measurements, image_shape)
        return self._correlate(measurements, self.kernel, self._centre, self._reach)

    def _correlate(self, images, kernel, before, after):
        channels = images.shape[-1]
        kernel = kernel if kernel.ndim == 3 else np.repeat(kernel[..., None], channels, axis=-1)
        padded = extended(images, before, after, self.boundary)
        return tf.nn.depthwise_conv2d(padded, kernel[..., None], [1, 1, 1, 1], "VALID")

    def validate(self, image_shape):
        height, width, channels = image_shape
        if self.kernel.shape[0] > height or self.kernel.shape[1] > width:
            raise ValueError(
                "Expected a kernel no larger than the image. "
                f"Received: kernel {self.kernel.shape[:2]}, image {(height, width)}."
            )
        if self.kernel.ndim == 3 and self.kernel.shape[-1] != channels:
            raise ValueError(
                f"Expected one kernel per channel. Received: {self.kernel.shape[-1]} kernels, "
                f"{channels} channels."
            )


def extended(images, before, after, boundary):
    """Extends height and width by `before` and `after` pixels, wrapped around or mirrored.

    Args:
        images: [batch, height, width, channels], at least as large as what is added to a side.
        before, after: (pixels of the height, pixels of the width).
        boundary: one of `BOUNDARIES`.
    """
    if boundary == "reflect":
        paddings = [[0, 0], [before[0], after[0]], [before[1], after[1]], [0, 0]]
        return tf.pad(images, paddings, "REFLECT")
    # Slices rather than one gather, whose gradient is a slow scatter on CPUs.
    top, bottom = images[:, tf.shape(images)[1] - before[0] :], images[:, : after[0]]
    images = tf.concat([top, images, bottom], axis=1)
    left, right = images[:, :, tf.shape(images)[2] - before[1] :], images[:, :, : after[1]]
    return tf.concat([left, images, right], axis=2)


def blur(config):
    """The `Blur` that an `OperatorConfig` describes."""
    return Blur(KERNELS[config.kernel](config), config.boundary)


OPERATORS = {
    "blur": blur,
    "identity": lambda config: Identity(),
}


def build_operator(config):
    """The operator that an `OperatorConfig` describes."""
    return OPERATORS[config.name](config)
