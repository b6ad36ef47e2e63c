"""The least squares of a kernel that is nowhere negative."""

import numpy as np
import scipy.fft

LARGEST_MATRIX = 27  # side of a kernel whose least squares are solved with a matrix


def non_negative_least_squares(autocorrelation, target, start, steps=60):
    """argmin 1/2 k'Mk - t'k with k >= 0, by accelerated projected gradients (Nesterov 1983).

    M k is a convolution with the autocorrelation.
    """
    times = _product_with(autocorrelation, len(target))
    target, start = target.astype(np.float32).ravel(), start.astype(np.float32).ravel()
    direction = np.ones_like(target)
    for _ in range(15):  # the largest eigenvalue
        direction = times(direction / np.linalg.norm(direction))
    rate = 1 / (1.05 * np.linalg.norm(direction))
    kernel, ahead, momentum = start, start, 1.0
    for _ in range(steps):
        following = np.maximum(ahead - rate * (times(ahead) - target), 0.0)
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + np.float32((momentum - 1) / next_momentum) * (following - kernel)
        kernel, momentum = following, next_momentum
    return kernel.reshape(len(autocorrelation) // 2 + 1, -1).astype(np.float64)


def _product_with(autocorrelation, side):
    """k -> M k, both flat: a matrix of a small kernel, whose transforms would take longer."""
    autocorrelation = autocorrelation.astype(np.float32)
    if side <= LARGEST_MATRIX:
        windows = np.lib.stride_tricks.sliding_window_view(autocorrelation, (side, side))
        return windows[:, :, ::-1, ::-1].reshape(side**2, side**2).dot
    extent = [scipy.fft.next_fast_len(3 * side - 2, real=True)] * 2
    transfer = scipy.fft.rfft2(autocorrelation, extent)

    def times(kernel):
        spectrum = scipy.fft.rfft2(kernel.reshape(side, side), extent)
        spectrum *= transfer
        full = scipy.fft.irfft2(spectrum, extent, overwrite_x=True)
        return full[side - 1 : 2 * side - 1, side - 1 : 2 * side - 1].ravel()

    return times
