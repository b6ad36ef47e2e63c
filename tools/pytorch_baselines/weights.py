"""Carries weights of our Keras networks to the same networks in PyTorch; imports no Keras."""

import numpy as np


def weights_of(network):
    """{layer's name: list of arrays} of a Keras network."""
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


def randomize(weights, deviation, reach, seed=0):
    """Gives Keras weights random values, none of them zero or one.

    Args:
        weights: list of Keras variables.
        deviation: function from the shape of a kernel to the standard deviation of its values.
        reach: how far, at most, other weights are from their usual initial value.
        seed: of the values.
    """
    generator = np.random.default_rng(seed)
    for weight in weights:
        if weight.path.endswith("kernel"):
            value = generator.normal(0.0, deviation(weight.shape), weight.shape)
        else:
            middle = 1.0 if weight.path.endswith(("gamma", "variance")) else 0.0
            value = generator.uniform(middle - reach, middle + reach, weight.shape)
        weight.assign(value)


def load_weights(module, weights):
    """Copies what `weights_of` returns into a module's `layers`, which have the same names.

    Kernels become [out, in / groups, height, width] or, where transposed, [in, out, height,
    width]; dense ones [out, in].

    Raises:
        ValueError: the layers or shapes differ.
    """
    import torch

    if weights.keys() != module.layers.keys():
        raise ValueError(f"Expected weights of {list(module.layers)}. Received: {list(weights)}")
    for name, arrays in weights.items():
        layer = module.layers[name]
        targets = [layer.weight, layer.bias]
        if len(arrays) == 4:
            targets += [layer.running_mean, layer.running_var]
        for target, array in zip(targets, arrays, strict=True):
            array = array.transpose({4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim])
            if target.shape != array.shape:
                raise ValueError(
                    f"Expected {name} of shape {tuple(target.shape)}. Received: {array.shape}"
                )
            with torch.no_grad():
                target.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def write_weights(path, networks):
    """Writes {name: Keras network} as an .npz file, for a process without Keras."""
    arrays = {
        f"{network}/{layer}/{index}": array
        for network, layers in ((name, weights_of(n)) for name, n in networks.items())
        for layer, layer_arrays in layers.items()
        for index, array in enumerate(layer_arrays)
    }
    np.savez(path, **arrays)


def read_weights(path):
    """Reads {network: what `weights_of` returned} from a file of `write_weights`."""
    networks = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            network, layer, _ = key.split("/")
            networks.setdefault(network, {}).setdefault(layer, []).append(arrays[key])
    return networks
