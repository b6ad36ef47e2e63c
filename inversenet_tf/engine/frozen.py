"""Rewrites networks that are no longer trained, so that they run faster.

Batch normalisation with fixed moving statistics is a factor and an offset for each channel, which
are folded into the kernel and the bias of the preceding convolution. Convolutions that are slow in
TensorFlow are replaced by equivalent ones, see `folded_convolutions`. The weights become
constants, which need no variables and which TensorFlow may rearrange once and for all.
"""

import inspect

import keras

from inversenet_tf.engine.folded_convolutions import FoldedConvolution, leaky_relu
from inversenet_tf.engine.layers import BatchNorm, HalvingConv2D

# Exactly these: a subclass may compute something else.
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, HalvingConv2D)
NORMS = (keras.layers.BatchNormalization, BatchNorm)
# Bytes of weights: the graph of a SavedModel, constants included, may take 2 GiB.
LARGEST = 2**28


def frozen(network, differentiable=False):
    """Returns a function that computes a network's inference.

    Args:
        network: a Keras model. In a functional one, convolutions and the batch norms that follow
            them are rewritten, with the weights that they have now, and other layers are called
            as they are. A model that defines its own `call`, or is too large for the constants of
            a graph, is called as it is.
        differentiable: whether gradients with respect to the inputs are needed, and should be
            fast, too. They are custom gradients, which a SavedModel cannot hold.

    Returns:
        Callable that returns `network(inputs, training=False)`, up to rounding.
    """
    if not _is_functional(network) or _bytes_of(network) > LARGEST:
        return _without_training(network)
    stages = _stages(network, differentiable)

    def run(inputs):
        return network._run_through_graph(inputs, lambda operation: stages[id(operation)])

    return run


def _is_functional(network):
    """Whether a model is nothing but a graph of layers."""
    if not isinstance(network, keras.Model):
        return False
    return type(network).call.__qualname__ == "Functional.call"


def _bytes_of(network):
    return 4 * network.count_params()


def _stages(network, differentiable):
    """{id of an operation of the network: its replacement}."""
    nodes = [node for level in network._nodes_by_depth.values() for node in level]
    nodes = [node for node in nodes if not node.is_input]
    operations = [node.operation for node in nodes]
    readers = {}
    for tensor in network.outputs:
        readers.setdefault(id(tensor), []).append(None)
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
    stages = {}
    for node in nodes:
        layer = node.operation
        if type(layer) in CONVOLUTIONS and layer.data_format == "channels_last":
            following = readers.get(id(node.outputs[0]), [])
            norm = following[0] if _can_be_folded(layer, following, operations) else None
            stages[id(layer)] = FoldedConvolution(layer, norm, differentiable)
            if norm is not None:
                stages[id(norm)] = _unchanged
    for layer in operations:
        stages.setdefault(id(layer), _other(layer, differentiable))
    return stages


def _can_be_folded(layer, following, operations):
    """Whether only one batch norm reads a convolution's output, and both are used once.

    Args:
        layer: the convolution.
        following: the operations that read its output; None for the network's own output.
        operations: all of the network; one that is used twice is listed twice.
    """
    return (
        len(following) == 1
        and type(following[0]) in NORMS
        and following[0].axis in (-1, 3)
        and layer.activation is keras.activations.linear
        and operations.count(layer) == operations.count(following[0]) == 1
    )


def _unchanged(inputs, **options):
    return inputs


def _other(layer, differentiable):
    if isinstance(layer, keras.Model):
        within = frozen(layer, differentiable)
        return lambda inputs, **options: within(inputs)
    if differentiable and type(layer) is keras.layers.LeakyReLU:
        return leaky_relu(layer.negative_slope)
    return _without_training(layer)


def _without_training(layer):
    """The layer itself, called with `training=False` if it takes that argument."""
    if not isinstance(layer, keras.Layer):
        return layer
    if "training" not in inspect.signature(layer.call).parameters:
        return layer

    def call(*inputs, **options):
        return layer(*inputs, **options | {"training": False})

    return call
