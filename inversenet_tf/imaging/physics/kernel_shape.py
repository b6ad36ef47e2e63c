"""Measures and transforms the shape of kernels [side, side], side odd."""

import numpy as np
import scipy.fft
import scipy.ndimage


def odd(side):
    """The greatest odd number that is not greater than `side`."""
    return side - 1 + side % 2


def cleaned(kernel, negligible):
    """A kernel without its negligible values and small islands, scaled to sum 1."""
    kernel = np.where(kernel < negligible * kernel.max(), 0.0, kernel)
    islands, count = scipy.ndimage.label(kernel > 0, np.ones((3, 3)))
    masses = scipy.ndimage.sum(kernel, islands, range(count + 1))
    small = masses < 0.1 * kernel.sum()
    if not small[1:].all():
        kernel = np.where(small[islands], 0.0, kernel)
    return kernel / kernel.sum()


def _centre_of_mass(kernel):
    """The centre of mass (row, column), in pixels from the middle."""
    return np.array(scipy.ndimage.center_of_mass(kernel)) - np.array(kernel.shape) // 2


def centred(kernel):
    """A kernel with its centre of mass at the middle, moved by whole pixels to stay sharp."""
    distance = np.rint(_centre_of_mass(kernel)).astype(int)
    return np.roll(kernel, -distance, axis=(0, 1))


def resized(kernel, side):
    """A kernel resampled to another side."""
    scaled = np.maximum(scipy.ndimage.zoom(kernel, side / len(kernel), order=1), 0.0)
    return scaled / scaled.sum()


def radius_of(kernel):
    """The root mean square distance of a kernel's mass from its middle pixel, in pixels."""
    squares = (np.arange(len(kernel)) - len(kernel) // 2) ** 2
    return float(np.sqrt((kernel * np.add.outer(squares, squares)).sum() / kernel.sum()))


def reaches_border(kernel):
    """Whether a kernel is likely to be cut off by its size."""
    inner = kernel[1:-1, 1:-1]
    return kernel.sum() - inner.sum() > 0.02


def trimmed(kernel):
    """The smallest odd square around the middle that contains the whole kernel."""
    return _within(kernel, _reach(kernel))


def _reach(kernel):
    """The distance, along the rows or the columns, from the middle to the farthest pixel."""
    return int(np.abs(np.argwhere(kernel > 0) - len(kernel) // 2).max())


def _within(kernel, reach):
    middle = len(kernel) // 2
    return kernel[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]


def similarity(first, second):
    """The greatest correlation of two kernels of one size over all shifts: 1 for the same shape."""
    sides = [2 * side for side in first.shape]
    spectra = [scipy.fft.fft2(kernel, sides) for kernel in (first, second)]
    correlation = scipy.fft.ifft2(spectra[0] * spectra[1].conj()).real
    return float(correlation.max() / np.sqrt(np.square(first).sum() * np.square(second).sum()))


def upon_the_first(kernels):
    """Kernels moved by whole pixels to correlate most with the first, and trimmed to one size."""
    first = kernels[0]
    spectrum, moved = scipy.fft.fft2(first), []
    for kernel in kernels:
        correlation = scipy.fft.ifft2(spectrum * scipy.fft.fft2(kernel).conj()).real
        shift = np.unravel_index(correlation.argmax(), correlation.shape)
        moved.append(np.roll(kernel, shift, axis=(0, 1)))
    reach = max(_reach(kernel) for kernel in moved)
    return [_within(kernel, reach) for kernel in moved]
