"""A surrogate that can only blur, with one non-negative kernel of sum one for all channels.

Beyond the paper. Its weights are the square roots of the kernel's values, up to a common factor:
squares cannot be negative, and a weight of zero is as easily reached as any other.
"""

import keras
import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.kernels import blur_kernel
from inversenet_tf.imaging.physics.operators import pad

SPREAD = 0.1  # standard deviation of the random initial weights, around 1
# Fraction of a given kernel's mean that is added everywhere: a weight of zero has no gradient.
FLOOR = 0.01


@keras.saving.register_keras_serializable("blind_gan_tf")
class SharedKernel(keras.Model):
    """A convolution with one kernel for all channels, non-negative and of sum one.

    It cannot mix channels, brighten or darken, and has `kernel_size`^2 weights. A learning rate of
    1e-2 suits Adam.

    Args:
        image_channels: of images and measurements alike.
        kernel_size: side of the kernel in pixels, odd.
        boundary: how images continue beyond their border, "circular" or "reflect".
        seed: of the initial weights, which give a nearly flat kernel.
        initial_kernel: [height, width] of non-negative values, such as an estimate; it is centred
            in `kernel_size` pixels, and cropped if it is larger. None for a random one.
    """

    def __init__(
        self,
        image_channels: int = 3,
        kernel_size: int = 21,
        *,
        boundary: str = "circular",
        seed: int = 0,
        initial_kernel: np.ndarray | None = None,
        **kwargs,
    ):
        if kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd kernel_size. Received: {kernel_size}")
        # === Layers ===
        convolution = KernelConvolution(kernel_size, boundary, seed, name="blur")
        # === Functional graph ===
        inputs = keras.Input((None, None, image_channels), name="images")
        super().__init__(inputs, convolution(inputs), **kwargs)
        if initial_kernel is not None:
            convolution.roots.assign(roots_of(placed(initial_kernel, kernel_size)))
        # === Config ===
        self.options = {
            "image_channels": image_channels,
            "kernel_size": kernel_size,
            "boundary": boundary,
            "seed": seed,
        }

    @property
    def kernel(self) -> np.ndarray:
        """[kernel_size, kernel_size], non-negative, of sum one, as `Blur` takes it."""
        return self.get_layer("blur").kernel().numpy()

    def get_config(self):
        return self.options | {"name": self.name}


@keras.saving.register_keras_serializable("blind_gan_tf")
class KernelConvolution(keras.layers.Layer):
    """Convolves every channel with the squares of its weights, scaled to sum one.

    It does so in Fourier space, where a wide kernel costs no more than a narrow one.
    """

    def __init__(self, kernel_size, boundary, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.boundary = boundary
        self.seed = seed

    def build(self, images_shape):
        start = keras.initializers.RandomNormal(1.0, SPREAD, seed=self.seed)
        self.roots = self.add_weight(
            shape=(self.kernel_size, self.kernel_size), initializer=start, name="roots"
        )

    def kernel(self):
        """The kernel, [kernel_size, kernel_size], non-negative and of sum one."""
        squares = tf.square(tf.convert_to_tensor(self.roots))
        return squares / tf.reduce_sum(squares)

    def call(self, images):
        reach = (self.kernel_size // 2, self.kernel_size // 2)
        # The circular convolution is wrong near the padded image's border, which is cut off below.
        wide = images if self.boundary == "circular" else pad(images, reach, reach, self.boundary)
        measured = circular_convolution(wide, self.kernel())
        if self.boundary == "circular":
            return measured
        return measured[:, reach[0] : -reach[0] or None, reach[1] : -reach[1] or None]

    def get_config(self):
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "boundary": self.boundary,
            "seed": self.seed,
        }


def circular_convolution(images, kernel):
    """Convolves [batch, height, width, channels] with [size, size] values centred at size // 2."""
    sides = tf.shape(images)[1:3]
    size = kernel.shape[0]
    missing = sides - size
    spread = tf.pad(kernel, [[0, missing[0]], [0, missing[1]]])
    spread = tf.roll(spread, [-(size // 2), -(size // 2)], axis=(0, 1))
    spectra = tf.signal.rfft2d(tf.transpose(images, [0, 3, 1, 2])) * tf.signal.rfft2d(spread)
    measured = tf.transpose(tf.signal.irfft2d(spectra, sides), [0, 2, 3, 1])
    measured.set_shape(images.shape)
    return measured


def placed(kernel, size):
    """Centres a blur kernel in size x size pixels; the centre of each is at side // 2.

    Raises:
        ValueError: the values are not those of a [height, width] kernel.
    """
    kernel = blur_kernel(kernel)
    if kernel.ndim != 2:
        raise ValueError(f"Expected one kernel for all channels. Received: shape {kernel.shape}")
    result = np.zeros((size, size), np.float32)
    into, of = zip(*(_overlap(size, side) for side in kernel.shape), strict=True)
    result[into] = kernel[of]
    return result


def _overlap(size, side):
    """Slices of `size` pixels and of `side` pixels that overlap when their centres coincide."""
    before = size // 2 - side // 2
    length = min(size - max(before, 0), side - max(-before, 0))
    return tuple(slice(start, start + length) for start in (max(before, 0), max(-before, 0)))


def roots_of(kernel):
    """The weights of mean square one, none of them zero, that represent a kernel [size, size]."""
    relative = kernel / kernel.mean()
    return np.sqrt((relative + FLOOR) / (1.0 + FLOOR))
