"""What the networks that correct the closed form of Eq. 3 have in common."""

import keras


def scaled_by_reach(
    correction: keras.KerasTensor, inputs: keras.KerasTensor, channels: int
) -> keras.KerasTensor:
    """Scales a correction by its reach, a map of which the `ClosedForm` provides.

    Args:
        correction: [batch, height, width, channels] in (-1, 1).
        inputs: of the network, [batch, height, width, more channels] in [-1, 1]: the estimate to
            correct, then the map of the reach, then others.
        channels: of the images.

    Returns:
        The correction multiplied by the reach, which is shifted from [-1, 1] to [0, 2].
    """
    reach = inputs[..., channels : channels + 1] + 1.0
    return keras.layers.Multiply(dtype="float32", name="scaled")([correction, reach])
