"""Networks that are trained no more, rewritten so that they cost less.

Batch normalisation that only applies its moving statistics is a factor and a summand for each
channel: they go into the kernel and the bias of the convolution before it. Convolutions that
TensorFlow does slowly become others of the same arithmetic, see `folded_convolutions`. The weights
become constants, which need no variables and which TensorFlow may rearrange once for all.
"""

import inspect

import keras

from inversenet_tf.engine.folded_convolutions import FoldedConvolution, leaky_relu
from inversenet_tf.engine.layers import BatchNorm, HalvingConv2D

# Exactly these: what a class of the caller's own computes is not known.
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, HalvingConv2D)
NORMS = (keras.layers.BatchNormalization, BatchNorm)
# Bytes of weights: a SavedModel's graph, which holds constants, may have 2 GiB.
LARGEST = 2**28


def frozen(network, differentiable=False):
    """What an inference of a network computes, as a function of its inputs.

    Args:
        network: a Keras model. A functional one is rewritten layer by layer, with the weights it
            has now: its convolutions, and the batch norms that follow them. Layers of other
            kinds are called as they are; so is a model with a `call` of its own, or one too
            large for a graph's constants.
        differentiable: whether gradients by the inputs will be asked for, which then are fast
            too. They are custom gradients, which a SavedModel cannot hold.

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
    """Whether a model is its graph of layers and nothing else."""
    if not isinstance(network, keras.Model):
        return False
    return type(network).call.__qualname__ == "Functional.call"


def _bytes_of(network):
    return 4 * network.count_params()


def _stages(network, differentiable):
    """{id of an operation of the network: what takes its place}."""
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
    """Whether what reads a convolution's output is one batch norm, and no other layer uses either.

    Args:
        layer: the convolution.
        following: the operations that read its output; None for the network's own output.
        operations: all of the network, one that is used twice twice.
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
    """A layer as it is, told that this is no training where it wants to know."""
    if not isinstance(layer, keras.Layer):
        return layer
    if "training" not in inspect.signature(layer.call).parameters:
        return layer

    def call(*inputs, **options):
        return layer(*inputs, **options | {"training": False})

    return call
