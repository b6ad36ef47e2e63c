"""Non-negative least squares for a kernel."""

import numpy as np
import scipy.fft

LARGEST_MATRIX = 27  # side of the largest kernel for which M is formed


def non_negative_least_squares(autocorrelation, target, start, steps=60):
    """argmin 1/2 k'Mk - t'k with k >= 0, by accelerated projected gradients (Nesterov 1983).

    M k is the convolution of k with the autocorrelation, t the target.
    """
    times = _product_with(autocorrelation, len(target))
    target, start = target.astype(np.float32).ravel(), start.astype(np.float32).ravel()
    direction = np.ones_like(target)
    for _ in range(15):  # power iteration for the largest eigenvalue
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
    """The function k -> M k, both flat: by a matrix if k is small, as that is faster there."""
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
