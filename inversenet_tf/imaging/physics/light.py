"""Conversion between light and the values in files, which are light to the power of 1 / gamma."""

import numpy as np


def to_light(values: np.ndarray, gamma: float) -> np.ndarray:
    """The light of values in [0, 1], to which they are clipped first unless gamma is 1."""
    return values if gamma == 1 else np.clip(values, 0.0, 1.0) ** np.float32(gamma)


def from_light(light: np.ndarray, gamma: float) -> np.ndarray:
    """The values of light in [0, 1], to which it is clipped first unless gamma is 1."""
    return light if gamma == 1 else np.clip(light, 0.0, 1.0) ** np.float32(1 / gamma)
