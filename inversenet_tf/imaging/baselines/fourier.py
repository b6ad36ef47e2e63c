"""Fourier transforms of batches of images, for filters with a circular boundary."""

import numpy as np
import scipy.fft

SIDES = (1, 2)  # the axes of height and width


def spectrum_of(images):
    """[batch, height, width, channels] -> [batch, height, width // 2 + 1, channels], complex."""
    return scipy.fft.rfft2(images, axes=SIDES)


def images_of(spectrum, sides):
    """The images with a given spectrum; `sides` is their (height, width)."""
    return scipy.fft.irfft2(spectrum, sides, axes=SIDES)


def transfer_of(kernel, sides):
    """Spectrum of a kernel on images of (height, width): [height, width // 2 + 1, 1 or channels].

    Raises:
        ValueError: the kernel is larger than the images.
    """
    kernel = np.asarray(kernel, np.float32)
    kernel = kernel if kernel.ndim == 3 else kernel[..., None]
    height, width, channels = kernel.shape
    if height > sides[0] or width > sides[1]:
        raise ValueError(
            f"Expected a kernel no larger than the images. Received: kernel {(height, width)}, "
            f"images {sides}."
        )
    spread = np.zeros((*sides, channels), np.float32)
    spread[:height, :width] = kernel
    return scipy.fft.rfft2(np.roll(spread, (-(height // 2), -(width // 2)), (0, 1)), axes=(0, 1))
