"""Fine-tuning: a training that begins with the networks of a run or of an export."""

from pathlib import Path

import tensorflow as tf

from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.imaging.files.paths import taken_literally
from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.models import kernel_use
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, latest_version
from inversenet_tf.trained_run import load_trained

SIDE, KERNEL_SIDE = 32, 3  # of what a network is traced with, whatever it is


def initial_weights(model, where):
    """The weights of a run's or an export's inverter and denoiser.

    Those of a run are of its best checkpoint, averaged where the run keeps averages, as are those
    of an export. A discriminator begins anew: it is no part of either.

    Args:
        model: an `InverseNet` that is to begin with them, in no strategy's scope.
        where: a work directory of `train`, or an export, or its directory of versions.

    Returns:
        {name of a network: list of arrays, as its `set_weights` takes them}.

    Raises:
        ValueError: there is neither, or its networks are others than the model's.
    """
    path = Path(where).expanduser()
    if (path / CONFIG_FILE).is_file():
        found, _, _ = load_trained(path)
        _check_alike(_described(found), _described(model), where)
        return {name: network.get_weights() for name, network in found.networks.items()}
    return _of_export(model, latest_version(path), where)


def _described(model):
    return [
        tuple(weight.shape)
        for name in ("inverter", "denoiser")
        if name in model.networks
        for weight in model.networks[name].weights
    ]


def _check_alike(found, expected, where):
    """Raises ValueError unless two lists of the shapes of weights are the same."""
    if len(found) != len(expected):
        raise ValueError(
            f"Expected in {where} the networks of the config, of {len(expected)} weights. "
            f"Received: others, of {len(found)}"
        )
    for one, other in zip(found, expected, strict=True):
        if one != other:
            raise ValueError(
                f"Expected in {where} the networks of the config, with weights of shape {other}. "
                f"Received: others, of {one}"
            )


def _of_export(model, saved_model, where):
    """An export names no weights: they are matched by the order in which they are first used."""
    with taken_literally(saved_model) as literal:
        loaded = tf.saved_model.load(str(literal))
    handles = loaded.signatures[SERVING_DEFAULT].captured_inputs
    theirs = [
        tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32).numpy()
        for handle in handles
        if handle.dtype == tf.resource
    ]
    by_handle = {
        id(weight.value.handle): weight
        for network in model.networks.values()
        for weight in network.weights
    }
    used = [by_handle.get(id(tensor)) for tensor in _traced(model).captured_inputs]
    ours = [weight for weight in used if weight is not None]
    shapes = [tuple(weight.shape) for weight in ours]
    _check_alike([array.shape for array in theirs], shapes, where)
    values = {id(weight): array for weight, array in zip(ours, theirs, strict=True)}
    return {
        name: [values.get(id(weight), weight.numpy()) for weight in network.weights]
        for name, network in model.networks.items()
    }


def _traced(model):
    """The function that an export serves, of this model."""

    @tf.function
    def restore(measurements):
        if model.kernel_use == kernel_use.REQUIRED:
            kernels = tf.ones((1, KERNEL_SIDE, KERNEL_SIDE)) / KERNEL_SIDE**2
            measurements = as_told(measurements, kernels, tf.zeros(1))
        return model.restore(measurements)["restored"]

    side = max(SIDE, model.multiple)
    return restore.get_concrete_function(
        tf.TensorSpec((1, side, side, model.measured_channels), tf.float32)
    )
