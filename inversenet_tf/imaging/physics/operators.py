"""Forward operators: measurements = A(images), each with its adjoint.

Images and measurements are float32 [batch, height, width, channels]. Operators are linear and made
of stateless TensorFlow ops, so they run eagerly, in `tf.data` and in a training step alike.
"""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.config import BOUNDARIES, UNCERTAIN, VARIED
from inversenet_tf.imaging.physics.kernels import KERNELS


class Operator:
    """A linear map A from images to measurements.

    Subclasses implement `__call__`; one that changes the size or the bands of an image also
    declares `scale` or overrides `measurement_shape`.

    Attributes:
        scale: image pixels per measurement pixel along each side.
        phase: measurement pixel i is the blurred image at pixel i * scale + phase.
        shift: how far from that pixel the measured light is centred; see `OperatorConfig`.
        kernel: the [height, width(, channels)] point spread function, or None.
        is_varied: whether each image has its own kernel and noise, see `VariedBlur`. If there is a
            `kernel`, too, the network is given none with an image, see `UncertainBlur`.
    """

    scale = 1
    phase = 0
    shift = 0.0
    kernel = None
    is_varied = False

    @property
    def kernel_shape(self):
        """(height, width) of the kernel, in pixels; (1, 1) where there is none."""
        return (1, 1) if self.kernel is None else self.kernel.shape[:2]

    def __call__(self, images):
        """Returns A(images)."""
        raise NotImplementedError

    def measurement_shape(self, image_shape):
        """(height, width, channels) of the measurement of an image of that shape."""
        height, width, channels = image_shape
        return (height // self.scale, width // self.scale, channels)

    def adjoint(self, measurements, image_shape):
        """Returns A^T(measurements), images of the given (height, width, channels).

        As A is linear, its vector-Jacobian product is the adjoint at any point.
        """
        zeros = tf.zeros([tf.shape(measurements)[0], *image_shape])
        with tf.GradientTape() as tape:
            tape.watch(zeros)
            measured = self(zeros)
        return tape.gradient(measured, zeros, output_gradients=measurements)

    def validate(self, image_shape):
        """Raises ValueError if images of (height, width, channels) cannot be measured."""


class Identity(Operator):
    """A(x) = x: for denoising."""

    def __call__(self, images):
        return as_batch(images)

    def adjoint(self, measurements, image_shape):
        return measurements


class Blur(Operator):
    """Convolution with a point spread function, one for all channels or one for each.

    Args:
        kernel: [height, width] or [height, width, channels]; its centre is at (height // 2,
            width // 2). Its values may have any sum and sign.
        boundary: "circular", the paper's block-circulant matrix (Appendix D.1), or "reflect".

    Raises:
        ValueError: a kernel of another shape, without values, or with complex ones or some that are
            not finite; or another boundary.
    """

    def __init__(self, kernel, boundary="circular"):
        check_choice("boundary", boundary, BOUNDARIES)
        self.kernel = _as_kernel(kernel)
        self.boundary = boundary
        height, width = self.kernel.shape[:2]
        self._centre = (height // 2, width // 2)
        self._reach = (height - 1 - height // 2, width - 1 - width // 2)

    def __call__(self, images):
        # TensorFlow's convolution is a correlation, hence the flipped kernel.
        return self._correlate(as_batch(images), self.kernel[::-1, ::-1], self._reach, self._centre)

    def adjoint(self, measurements, image_shape):
        if self.boundary != "circular":
            return super().adjoint(measurements, image_shape)
        return self._correlate(measurements, self.kernel, self._centre, self._reach)

    def _correlate(self, images, kernel, before, after):
        channels = images.shape[-1]
        self._check_channels(channels)
        kernel = kernel if kernel.ndim == 3 else np.repeat(kernel[..., None], channels, axis=-1)
        padded = pad(images, before, after, self.boundary)
        return tf.nn.depthwise_conv2d(padded, kernel[..., None], [1, 1, 1, 1], "VALID")

    def validate(self, image_shape):
        """Raises ValueError if the kernel is larger than the image or has other channels."""
        height, width, channels = image_shape
        if self.kernel.shape[0] > height or self.kernel.shape[1] > width:
            raise ValueError(
                "Expected a kernel no larger than the image. "
                f"Received: kernel {self.kernel.shape[:2]}, image {(height, width)}."
            )
        self._check_channels(channels)

    def _check_channels(self, channels):
        if self.kernel.ndim == 3 and channels not in (None, self.kernel.shape[-1]):
            raise ValueError(
                f"Expected one kernel per channel. Received: {self.kernel.shape[-1]} kernels, "
                f"{channels} channels."
            )


def _as_kernel(values):
    """The kernel of a `Blur` as float32; raises ValueError for values that are none."""
    expected = "Expected a kernel [height, width] or [height, width, channels] of real numbers"
    values = np.asarray(values)
    if values.ndim not in (2, 3) or not values.size or values.dtype.kind not in "biuf":
        raise ValueError(f"{expected}. Received: shape {values.shape} of {values.dtype}")
    if not np.isfinite(values).all():
        raise ValueError(f"{expected}. Received: some that are infinite or not a number")
    return values.astype(np.float32)


class Downsampling(Operator):
    """Keeps one pixel of every scale x scale block: S of Appendix D.2.

    Args:
        scale: d of the paper; the pixel kept is the one at (scale // 2, scale // 2) of its block,
            where a kernel of that size has its centre.
    """

    def __init__(self, scale):
        if scale < 1:
            raise ValueError(f"Expected scale >= 1. Received: {scale}")
        self.scale = scale
        self.phase = scale // 2

    def __call__(self, images):
        return as_batch(images)[:, self.phase :: self.scale, self.phase :: self.scale]

    def adjoint(self, measurements, image_shape):
        """Puts every measurement at its place in the image, surrounded by zeros."""
        around = [self.phase, self.scale - 1 - self.phase]
        blocks = tf.pad(
            measurements[:, :, None, :, None], [[0, 0], [0, 0], around, [0, 0], around, [0, 0]]
        )
        return tf.reshape(blocks, [-1, *image_shape])

    def validate(self, image_shape):
        if image_shape[0] % self.scale or image_shape[1] % self.scale:
            raise ValueError(
                f"Expected images with sides that are multiples of the scale {self.scale}. "
                f"Received: {tuple(image_shape[:2])}"
            )


class SpectralMean(Operator):
    """The mean over the channels, one grey channel: L of Appendix D.3."""

    def __call__(self, images):
        return tf.reduce_mean(as_batch(images), axis=-1, keepdims=True)

    def measurement_shape(self, image_shape):
        return (*image_shape[:2], 1)

    def adjoint(self, measurements, image_shape):
        return tf.repeat(measurements, image_shape[-1], axis=-1) / image_shape[-1]


class Compose(Operator):
    """Operators applied one after the other, in the given order.

    Its `kernel` is that of the first part that has one.
    """

    def __init__(self, *operators):
        self.operators = operators
        for part in operators:
            self.phase += self.scale * part.phase
            self.scale *= part.scale
        self.kernel = next((part.kernel for part in operators if part.kernel is not None), None)

    def __call__(self, images):
        for part in self.operators:
            images = part(images)
        return images

    def measurement_shape(self, image_shape):
        return self._shapes(image_shape)[-1]

    def adjoint(self, measurements, image_shape):
        shapes = self._shapes(image_shape)[:-1]
        for part, shape in zip(reversed(self.operators), reversed(shapes), strict=True):
            measurements = part.adjoint(measurements, shape)
        return measurements

    def validate(self, image_shape):
        for part, shape in zip(self.operators, self._shapes(image_shape)[:-1], strict=True):
            part.validate(shape)

    def _shapes(self, image_shape):
        """(height, width, channels) of the image and of the output of each part."""
        shapes = [tuple(image_shape)]
        for part in self.operators:
            shapes.append(part.measurement_shape(shapes[-1]))
        return shapes


def pad(images, before, after, boundary):
    """Pads height and width by `before` and `after` pixels, wrapped around or mirrored.

    Args:
        images: [batch, height, width, channels], no smaller than what is added to a side, and for
            "reflect" larger.
        before, after: (pixels of the height, pixels of the width).
        boundary: one of `BOUNDARIES`.
    """
    check_choice("boundary", boundary, BOUNDARIES)
    if boundary == "reflect":
        paddings = [[0, 0], [before[0], after[0]], [before[1], after[1]], [0, 0]]
        return tf.pad(images, paddings, "REFLECT")
    # Slices rather than one gather, as its gradient is a scatter, which is slow on CPUs.
    top, bottom = images[:, tf.shape(images)[1] - before[0] :], images[:, : after[0]]
    images = tf.concat([top, images, bottom], axis=1)
    left, right = images[:, :, tf.shape(images)[2] - before[1] :], images[:, :, : after[1]]
    return tf.concat([left, images, right], axis=2)


def folded(positions, size, boundary):
    """Maps positions, which may be any distance beyond an axis, to its pixels.

    Args:
        positions: int tensor.
        size: of the axis, an int or scalar tensor.
        boundary: one of `BOUNDARIES`.
    """
    check_choice("boundary", boundary, BOUNDARIES)
    # No remainder of negative numbers is taken, as converters to other formats truncate it.
    distances = tf.abs(positions)
    if boundary == "circular":
        behind = size - 1 - tf.abs(positions + 1) % size  # for positions before the first
        return tf.where(positions < 0, behind, distances % size)
    period = tf.maximum(2 * size - 2, 1)  # there and back; border pixels occur once
    places = distances % period
    return tf.minimum(places, period - places)


def within_frame(kernel: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blurs a scene as a camera does, with light from beyond the frame mixed in.

    Args:
        kernel: [kernel height, kernel width] of the blur.
        image: [height, width, channels], the scene.

    Returns:
        (blurred, sharp), both cropped by half a kernel at each border, so no boundary is assumed.
    """
    down, across = (side // 2 for side in kernel.shape)
    frame = slice(down, image.shape[0] - down), slice(across, image.shape[1] - across)
    return Blur(kernel, "reflect")(image[np.newaxis])[0].numpy()[frame], image[frame]


def blur(config):
    """The `Blur`, `VariedBlur` or `UncertainBlur` that an `OperatorConfig` describes."""
    if config.kernel == VARIED:
        from inversenet_tf.imaging.physics.varied import VariedBlur  # it builds on this module

        return VariedBlur(config.kernel_size, config.boundary)
    if config.kernel == UNCERTAIN:
        from inversenet_tf.imaging.physics.uncertain import UncertainBlur, kernels_from

        return UncertainBlur(kernels_from(config.kernel_file), config.boundary)
    return Blur(KERNELS[config.kernel](config), config.boundary)


def downsampling(config):
    """A = S H of Appendix D.2: blurred, then downsampled."""
    return _shifted(Compose(blur(config), Downsampling(config.scale)), config)


def joint(config):
    """A = L S H of Appendix D.3: blurred, downsampled and grey."""
    return _shifted(Compose(blur(config), Downsampling(config.scale), SpectralMean()), config)


def _shifted(operator, config):
    operator.shift = config.shift
    return operator


OPERATORS = {
    "blur": blur,
    "identity": lambda config: Identity(),
    "downsampling": downsampling,
    "joint": joint,
}


def build_operator(config):
    """The operator that an `OperatorConfig` describes.

    Raises:
        ValueError: it is the caller's own, or its kernel cannot be read.
    """
    if config.is_own:
        raise ValueError(
            f"Expected operator.name in {tuple(OPERATORS)}, with a kernel that the config names. "
            f"Received: {config.name!r} with {config.kernel!r}, the caller's own, which must be "
            "passed as operator=..."
        )
    return OPERATORS[config.name](config)
