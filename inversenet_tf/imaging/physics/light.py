"""Light and the values that files hold of it, which are its power of one over gamma."""

import numpy as np


def to_light(values: np.ndarray, gamma: float) -> np.ndarray:
    """The light that values in [0, 1] stand for; what noise took beyond that range is cut off."""
    return values if gamma == 1 else np.clip(values, 0.0, 1.0) ** np.float32(gamma)


def from_light(light: np.ndarray, gamma: float) -> np.ndarray:
    """The values of light in [0, 1]."""
    return light if gamma == 1 else np.clip(light, 0.0, 1.0) ** np.float32(1 / gamma)
