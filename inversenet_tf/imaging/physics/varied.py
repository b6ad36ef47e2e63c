"""A different blur for each image: seeded random kernels of several families, and noise levels.

A network that is trained on them, given each kernel and noise, restores any such blur.
"""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.physics.deconvolution import centred
from inversenet_tf.imaging.physics.kernels import disk, draw_trajectory, line, normalised
from inversenet_tf.imaging.physics.operators import Operator, pad

HELD_OUT_KERNELS = 10  # that validation cycles through
HELD_OUT_STREAM, TRAINING_STREAM = 0, 1  # of random numbers, so that held-out draws stay unseen
SHARE_WITHOUT_NOISE = 0.2  # of the images, which are only rounded


def _line(generator, size):
    """Uniform motion of random length and direction."""
    return line(size, generator.uniform(1.0, size - 1.0), generator.uniform(0.0, np.pi))


def _shake(generator, size):
    """A smooth random trajectory, from almost straight to one with many turns."""
    acceleration = generator.normal(size=(512, 2))
    width = generator.uniform(8.0, 40.0)
    window = np.exp(-0.5 * (np.arange(-96, 97) / width) ** 2)
    smooth = np.stack([np.convolve(axis, window, "same") for axis in acceleration.T], axis=-1)
    velocity = np.cumsum(smooth - smooth.mean(axis=0), axis=0)
    path = np.cumsum(velocity - generator.uniform(0, 1) * velocity.mean(axis=0), axis=0)
    return draw_trajectory(path, generator.uniform(0.25, 1.0) * (size - 1) / 2, size)


def _gaussian(generator, size):
    """An anisotropic Gaussian of random widths and direction."""
    along = generator.uniform(0.5, size / 5.0)
    across, angle = along * generator.uniform(0.3, 1.0), generator.uniform(0.0, np.pi)
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    u = columns * np.cos(angle) + rows * np.sin(angle)
    v = rows * np.cos(angle) - columns * np.sin(angle)
    return normalised(np.exp(-0.5 * ((u / along) ** 2 + (v / max(across, 0.3)) ** 2)))


def _disk(generator, size):
    """The blur of a lens out of focus."""
    return disk(size, generator.uniform(0.5, size / 4))


def _point(generator, size):
    """No blur."""
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2, size // 2] = 1.0
    return kernel


FAMILIES = {_shake: 0.45, _line: 0.2, _gaussian: 0.2, _disk: 0.1, _point: 0.05}


def draw_kernel(generator: np.random.Generator, size: int) -> np.ndarray:
    """Draws a kernel of a random family: camera shake, line, Gaussian, disk or no blur.

    Args:
        generator: of the random numbers.
        size: odd side in pixels.

    Returns:
        float32 [size, size], non-negative, of sum 1.
    """
    family = generator.choice(len(FAMILIES), p=list(FAMILIES.values()))
    return list(FAMILIES)[family](generator, size)


class VariedBlur(Operator):
    """A blur with a different kernel and noise level for each image.

    Args:
        size: odd side in pixels of the largest kernel.
        boundary: one of `BOUNDARIES`.
    """

    is_varied = True

    def __init__(self, size: int, boundary: str = "circular"):
        if size < 3 or size % 2 == 0:
            raise ValueError(f"Expected an odd size of at least 3. Received: {size}")
        self.size, self.boundary = size, boundary

    @property
    def kernel_shape(self):
        return self.size, self.size

    def __call__(self, images, kernels):
        """Blurs each image [batch, height, width, channels] with its kernel [batch, size, size]."""
        return blur_each(as_batch(images), kernels, self.boundary)

    def training_draw(self, seed: int, position: int) -> tuple[np.ndarray, np.float32]:
        """Draws what the image at a position of the training is measured with.

        Returns:
            (kernel, fraction): float32 [size, size], and the noise as a fraction of the strongest,
            in [0, 1]; weak noise is more frequent.
        """
        return self._draw([TRAINING_STREAM, seed, position])

    def held_out_draw(self, position: int) -> tuple[np.ndarray, np.float32]:
        """The same for a position of a validation or evaluation: one of a few fixed draws."""
        return self._draw([HELD_OUT_STREAM, position % HELD_OUT_KERNELS])

    def _draw(self, seeds):
        generator = np.random.default_rng(seeds)
        kernel = draw_kernel(generator, self.size)
        without = generator.uniform() < SHARE_WITHOUT_NOISE
        return kernel, np.float32(0.0 if without else generator.uniform() ** 1.5)

    def validate(self, image_shape):
        if self.size > min(image_shape[:2]):
            raise ValueError(
                "Expected operator.kernel_size no larger than the image. "
                f"Received: {self.size}, image {tuple(image_shape[:2])}."
            )


def blur_each(images: tf.Tensor, kernels: tf.Tensor, boundary: str = "circular") -> tf.Tensor:
    """Convolves each image of a batch with its own kernel.

    Args:
        images: float32 [batch, height, width, channels], no smaller than the kernels.
        kernels: [batch, kernel height, kernel width], or [batch, kernel height, kernel width,
            channels] for one per channel; centred at (height // 2, width // 2).
        boundary: one of `BOUNDARIES`.
    """
    if len(kernels.shape) == 3:
        kernels = kernels[..., tf.newaxis]
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    padded, reach = images, (0, 0)
    if boundary == "reflect":
        sides = tf.shape(kernels)[1:3]  # unknown until run time in an export
        reach = (sides[0] // 2, sides[1] // 2)
        padded = pad(images, reach, reach, boundary)
    size = tf.shape(padded)[1:3]
    transfer = tf.signal.rfft2d(centred(kernels, size))
    spectrum = tf.signal.rfft2d(tf.transpose(padded, [0, 3, 1, 2]))
    blurred = tf.transpose(tf.signal.irfft2d(spectrum * transfer, size), [0, 2, 3, 1])
    return blurred[:, reach[0] : reach[0] + height, reach[1] : reach[1] + width]
