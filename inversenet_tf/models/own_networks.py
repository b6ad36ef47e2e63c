"""Checks, before anything is written, that a caller's own networks can take their parts."""

import re

import keras
import tensorflow as tf

INPUTS = {"inverter": (1,), "denoiser": (1, 2)}  # the possible numbers of inputs
SHOWN = 300  # characters of an error
COLOURS_OF_TERMINALS = re.compile(r"\x1b\[\d*m")


def check_own_network(part: str, network: keras.Model) -> None:
    """Checks what can be known of a network before it is called.

    Args:
        part: "inverter" or "denoiser".
        network: the caller's.

    Raises:
        ValueError: it is not a Keras model, its inputs are not known yet, their number or that of
            its outputs does not fit the part, they are not images, or it has no trainable weights.
    """
    if not isinstance(network, keras.Model):
        raise ValueError(f"Expected {part} to be a Keras model. Received: {_named(network)}")
    try:
        inputs, outputs = network.inputs, network.outputs
    except (AttributeError, ValueError):  # of a Sequential that is not built
        inputs = outputs = None
    if not inputs or not outputs:
        raise ValueError(
            f"Expected {part} to be a Keras model whose inputs are known: a functional one, or a "
            "Sequential that begins with keras.Input((None, None, channels)) or is built by "
            f".build((None, None, None, channels)). Received: {_named(network)} without inputs"
        )
    if len(inputs) not in INPUTS[part] or len(outputs) != 1:
        wanted = " or ".join(map(str, INPUTS[part]))
        raise ValueError(
            f"Expected {part} to have {wanted} input and one output. Received: {len(inputs)} and "
            f"{len(outputs)}"
        )
    for tensor in (*inputs, *outputs):
        if len(tensor.shape) != 4 or tensor.shape[0] is not None or tensor.shape[3] is None:
            raise ValueError(
                f"Expected {part} to take and give images, (None, height, width, channels) of any "
                f"batch. Received: {tensor.shape}"
            )
    if not network.trainable_variables:
        raise ValueError(f"Expected {part} to have trainable weights. Received: none")


def check_gradients(model, inputs, parts: list[str]) -> None:
    """Checks that networks can be trained: that gradients reach their weights.

    Args:
        model: an `InverseNet`.
        inputs: of the model.
        parts: names of the networks to check.

    Raises:
        ValueError: no weight of a network gets a gradient.
    """
    for part in parts:
        network = model.networks[part]
        variables = [weight.value for weight in network.trainable_variables]
        with tf.GradientTape() as tape:
            outputs = model.unaveraged_outputs(inputs)
            key = "restored" if part == "denoiser" else next(iter(outputs))
            total = tf.reduce_sum(outputs[key])
        if all(gradient is None for gradient in tape.gradient(total, variables)):
            raise ValueError(
                f"Expected {part} to be differentiable. Received: one whose output gives none of "
                "its weights a gradient"
            )


def one_line(error: Exception) -> str:
    """The message of a Keras or TensorFlow error in one line of moderate length."""
    said = " ".join(COLOURS_OF_TERMINALS.sub("", str(error)).split())
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"


def _named(network):
    return f"a {type(network).__name__}"
