"""What a network is given: measurements alone, or a dict that also tells the blur of each.

The dict holds `measurements` [batch, height, width, channels], `kernels` [batch, kernel height,
kernel width] and `noise_sigmas` [batch], the standard deviation of each sensor's noise.
"""

import numpy as np
import tensorflow as tf


def as_told(measurements, kernels, noise_sigmas=None):
    """Measurements with the kernel and the noise of each, which is none where it is not given.

    Returns:
        The dict, of float32 tensors.
    """
    noise_sigmas = np.zeros(len(measurements)) if noise_sigmas is None else noise_sigmas
    arrays = {"measurements": measurements, "kernels": kernels, "noise_sigmas": noise_sigmas}
    return {name: tf.cast(array, tf.float32) for name, array in arrays.items()}


def parts_of(inputs):
    """(measurements, what is told of them) of a network's input; of measurements alone {}."""
    if not isinstance(inputs, dict):
        return inputs, {}
    told = dict(inputs)
    return told.pop("measurements"), told


def measurements_of(inputs):
    """The measurements among a network's input."""
    return parts_of(inputs)[0]
