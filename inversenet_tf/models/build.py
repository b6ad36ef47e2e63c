"""Builds an InverseNet from its parts; any network may take either part (Section 1).

An inverter maps the signed measurement to a signed first estimate z. It may have the attributes
`scale` (the factor by which it upsamples its input; with 1, the default, it takes the measurement
upsampled to the image's size) and `multiple` (which the image's sides must be a multiple of; 1 by
default). A denoiser maps z or [z, y] to the signed restored image; the DAE also takes the half-step
from z. It may have a `multiple`, too. Both are Keras models with defined inputs, whose size may be
fixed to that of the data.
"""

import keras
import tensorflow as tf

from inversenet_tf.config import CUSTOM, NONE, SOLVERS
from inversenet_tf.imaging.physics.operators import Downsampling, build_operator
from inversenet_tf.models.closed_form import FACTORS, ClosedForm
from inversenet_tf.models.dae import DAE
from inversenet_tf.models.discriminator import Discriminator
from inversenet_tf.models.dncnn import DnCNN
from inversenet_tf.models.half_step import HalfStep
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.memory import check_networks_fit
from inversenet_tf.models.neural_deblur import NeuralDeblur
from inversenet_tf.models.own_networks import check_gradients, one_line
from inversenet_tf.models.solver_resnet import LEAST_FACTOR, SolverResNet
from inversenet_tf.models.srresnet import SRResNet
from inversenet_tf.models.unet import UNet


def _unet(config):
    return UNet(
        config.depth,
        config.data.channels,
        config.network.global_skip,
        config.measured_channels,
        width=config.network.width,
        dtype=config.training.precision,
        name="unet",
    )


def _solver_channels(config):
    """Input channels of a network that corrects the closed form."""
    maps = config.operator.has_noise_map + config.network.scaled_correction
    return len(FACTORS) * config.data.channels + maps + config.measured_channels


def _solver_unet(config):
    return UNet(
        config.depth,
        config.data.channels,
        True,  # a global skip: it corrects the closed form
        _solver_channels(config),
        scaled_skip=config.network.scaled_correction,
        width=config.network.width,
        dtype=config.training.precision,
        name="solver_unet",
    )


def _solver_resnet(config):
    network = config.network
    return SolverResNet(
        max(config.operator.scale, LEAST_FACTOR),
        config.data.channels,
        _solver_channels(config),
        blocks=network.residual_blocks,
        width=network.residual_width,
        scaled=network.scaled_correction,
        dtype=config.training.precision,
        name="solver_resnet",
    )


def _srresnet(config):
    network = config.network
    return SRResNet(
        config.operator.scale,
        config.data.channels,
        blocks=network.residual_blocks,
        width=network.residual_width,
        global_skip=network.global_skip,
        measurement_channels=config.measured_channels,
        boundary=config.operator.boundary,
        shift=config.operator.shift,
        subpixel=network.residual_subpixel,
        dtype=config.training.precision,
        name="srresnet",
    )


def _neural_deblur(config):
    return NeuralDeblur(config.data.channels, dtype=config.training.precision, name="neural_deblur")


def _dae(config):
    network = config.network
    return DAE(
        network.dae_factor,
        config.data.channels,
        condition=network.dae_condition,
        measurement_channels=config.measured_channels,
        global_skip=network.global_skip,
        paper_literal=network.paper_literal,
        half_step=network.half_step > 0,
        dtype=config.training.precision,
        name="dae",
    )


def _dncnn(config):
    layers, dtype = config.network.dncnn_layers, config.training.precision
    return DnCNN(config.data.channels, layers, dtype=dtype, name="dncnn")


INVERTERS = {
    "unet": _unet,
    "solver_unet": _solver_unet,
    "solver_resnet": _solver_resnet,
    "srresnet": _srresnet,
    "neural_deblur": _neural_deblur,
}
DENOISERS = {"dae": _dae, "dncnn": _dncnn}


def rebuilt(part, network):
    """Copies the caller's network, with new variables in the present strategy's scope.

    Args:
        part: "inverter" or "denoiser".
        network: a Keras model, or None.

    Returns:
        The copy; None for None.

    Raises:
        ValueError: the network cannot be restored from its config, as it would be from a file.
    """
    if network is None:
        return None
    try:
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
        copy.set_weights(network.get_weights())
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(
            f"Expected {part} to be a model that Keras can save and load. Received: "
            f"{one_line(error)}"
        ) from error
    for name in ("scale", "multiple"):
        was, now = getattr(network, name, 1), getattr(copy, name, 1)
        if was != now:
            raise ValueError(
                f"Expected {part}.{name} to be an attribute of its class, which a saved network "
                f"keeps. Received: {was}, and {now} once saved"
            )
    return copy


def solvers_of(config, kernel=None, spectrum=None):
    """Builds the layers that solve with the operator inside a model.

    Args:
        config: a `Config`.
        kernel: of the operator, by default the one that the config names; a varied operator has
            none.
        spectrum: of the training images; by default that of natural images.

    Returns:
        {"closed_form": `ClosedForm` whose estimates the inverter corrects, "half_step": `HalfStep`
        that the denoiser takes}, each None where the config has none.
    """
    network, operator = config.network, config.operator
    has_form = network.inverter in SOLVERS
    if kernel is None and (has_form or network.half_step):
        kernel = build_operator(operator).kernel
    known = {
        "kernel": kernel,
        "noise_sigma": config.noise.gaussian_sigma,
        "spectrum": spectrum,
        "scale": operator.scale,
        "phase": Downsampling(operator.scale).phase if operator.scale > 1 else 0,
        "to_gray": operator.name == "joint",
        "boundary": operator.boundary,
    }
    form = {"scaled": network.scaled_correction, "noise_map": operator.has_noise_map}
    return {
        "closed_form": ClosedForm(**known, **form, name="closed_form") if has_form else None,
        "half_step": HalfStep(**known, fraction=network.half_step, name="half_step")
        if network.half_step
        else None,
    }


def build_model(config, inverter=None, denoiser=None, with_discriminator=True, solvers=None):
    """Builds the untrained `InverseNet` of a config.

    Args:
        config: a `Config`.
        inverter, denoiser: the caller's own networks, where the config says "custom".
        with_discriminator: False for a model that is not to be trained.
        solvers: from `solvers_of`; by default those of the config alone.

    Raises:
        ValueError: the networks would take more than half of the free memory.
    """
    check_networks_fit(config, with_discriminator)
    network, operator = config.network, config.operator
    if network.inverter != CUSTOM:
        inverter = INVERTERS[network.inverter](config)
    if network.denoiser != CUSTOM:
        denoiser = None if network.denoiser == NONE else DENOISERS[network.denoiser](config)
    discriminator = None
    if with_discriminator and config.loss.adversarial_weight > 0:
        width, dtype = network.discriminator_width, config.training.precision
        discriminator = Discriminator(config.data.channels, width, dtype, name="discriminator")
    return InverseNet(
        inverter,
        denoiser,
        discriminator,
        scale=operator.scale,
        boundary=operator.boundary,
        shift=operator.shift,
        **(solvers or solvers_of(config)),
    )


def check_networks(model, config):
    """Raises ValueError if a model does not fit its config, or a caller's own network cannot learn.

    The model is called with a measurement of zeros, where a caller's own network may fail.
    """
    size, channels, scale = config.data.size, config.data.channels, config.operator.scale
    for part in ("inverter", "denoiser"):
        multiple = getattr(getattr(model, part), "multiple", 1)
        if size % multiple:
            raise ValueError(
                f"Expected data.size to be a multiple of {multiple}, as network.{part} needs. "
                f"Received: {size}"
            )
    measurement = tf.zeros((1, size // scale, size // scale, config.measured_channels))
    try:
        outputs = model(model.taken_for_sharp(measurement))
        shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"Expected networks for measurements of {measurement.shape[1:]} and images of "
            f"{(size, size, channels)}. Received: {one_line(error)}"
        ) from error
    for name, shape in shapes.items():
        if shape != (1, size, size, channels):
            raise ValueError(
                f"Expected {name} images of {(size, size, channels)}. Received: {shape[1:]}"
            )
    parts = [part for part in ("inverter", "denoiser") if getattr(config.network, part) == CUSTOM]
    check_gradients(model, model.taken_for_sharp(measurement), parts)
    if model.fixed_size is not None and config.data.evaluation_crop == "whole":
        raise ValueError(
            f'Expected data.evaluation_crop "center" with a network only for images of '
            f"{size}x{size} pixels, which cannot be validated on whole ones. Received: 'whole'"
        )
