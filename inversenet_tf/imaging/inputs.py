"""A network's input: measurements alone, or a dict that adds the kernel and noise of each.

The dict holds `measurements` [batch, height, width, channels], `kernels` [batch, kernel height,
kernel width(, channels)] and `noise_sigmas` [batch], the standard deviation of the sensor noise in
each.
"""

import numpy as np
import tensorflow as tf


def as_told(measurements, kernels, noise_sigmas=None):
    """Returns the input dict, as float32 tensors; without `noise_sigmas` the noise is zero."""
    noise_sigmas = np.zeros(len(measurements)) if noise_sigmas is None else noise_sigmas
    arrays = {"measurements": measurements, "kernels": kernels, "noise_sigmas": noise_sigmas}
    return {name: tf.cast(array, tf.float32) for name, array in arrays.items()}


def parts_of(inputs):
    """Splits a network's input into (measurements, dict of the rest, empty where there is none)."""
    if not isinstance(inputs, dict):
        return inputs, {}
    told = dict(inputs)
    return told.pop("measurements"), told


def measurements_of(inputs):
    """Returns the measurements in a network's input."""
    return parts_of(inputs)[0]
