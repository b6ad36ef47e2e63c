"""Fine-tuning: a training that begins with the networks of another run."""

from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.shipped import preset_or_path
from inversenet_tf.trained_run import load_trained


def initial_weights(model, where):
    """Returns the weights of a run's inverter and denoiser.

    They are those of its best checkpoint, averaged if the run keeps averages. The discriminator
    is not among them.

    Args:
        model: the `InverseNet` that is to begin with them, built outside any strategy's scope.
        where: a work directory of `train`, or a preset's name.

    Returns:
        {name of a network: list of arrays, as its `set_weights` takes them}.

    Raises:
        ValueError: `where` is neither of these (nor is an export, whose weights are folded), or its
            networks differ from the model's.
    """
    path = preset_or_path(where)
    if not (path / CONFIG_FILE).is_file():
        raise ValueError(
            "Expected a work directory of train or a preset as initial weights; those of an "
            f"export are folded. Received: {where}"
        )
    trained, _, _ = load_trained(path)
    _check_alike(_described(trained), _described(model), where)
    return {name: network.get_weights() for name, network in trained.networks.items()}


def _described(model):
    return [
        tuple(weight.shape)
        for name in ("inverter", "denoiser")
        if name in model.networks
        for weight in model.networks[name].weights
    ]


def _check_alike(present, expected, where):
    """Raises ValueError unless two lists of the shapes of weights are the same."""
    if len(present) != len(expected):
        raise ValueError(
            f"Expected the networks of the config in {where}, with {len(expected)} weights. "
            f"Received: others, with {len(present)}"
        )
    for one, other in zip(present, expected, strict=True):
        if one != other:
            raise ValueError(
                f"Expected the networks of the config in {where}, with weights of shape {other}. "
                f"Received: others, of {one}"
            )
