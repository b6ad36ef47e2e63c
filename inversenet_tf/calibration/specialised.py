"""A network for one camera: trained on sharp images blurred by its kernel, and exported."""

import copy
import math

from absl import logging

from inversenet_tf import recipes
from inversenet_tf.budget import seconds_per_step
from inversenet_tf.calibration.place import Place
from inversenet_tf.calibration.settings import Settings, steps_of
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import read_config
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.config import UNCERTAIN, NoiseConfig, OperatorConfig
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE
from inversenet_tf.training import train

VALIDATION = "photos@held_out"  # two photographs, which no training images include
VALIDATIONS = 5  # in the whole training
FINE_TUNING = 0.25  # of the learning rate, when starting from a network for any blur
LEAST_SCALE = 0.4  # to which images are scaled down before patches are cut from them


def training_config(settings: Settings, place: Place, estimate: KernelEstimate) -> Config:
    """The config to train a network for the estimated kernel, except for the number of steps.

    To start from the weights of a run for any blur, it takes over the run's network and, for
    circular measurements that are not aligned, the way that it draws patches.

    Raises:
        ValueError: the run is of another kind.
    """
    config = read_config(settings.run, Config) if settings.run else recipes.any_blur()
    config.network.depth = config.depth
    config.operator = OperatorConfig(
        kernel=UNCERTAIN,
        kernel_file=str(place.kernels),
        kernel_size=estimate.plausible.shape[-1],
        boundary="circular" if settings.is_circular else "reflect",
    )
    sigma = math.sqrt(max(estimate.noise**2 - ROUNDING_VARIANCE, 0.0))
    config.noise = NoiseConfig(quantize=True, gaussian_sigma=sigma)
    _set_data(config, settings, estimate)
    if settings.run:
        config.training.initial_weights = str(settings.run)
        config.optimizer.learning_rate *= FINE_TUNING
    return config


def _set_data(config, settings, estimate):
    data = config.data
    data.train, data.validation, data.test = settings.images, VALIDATION, ""
    data.size = settings.patch_side(2**config.network.depth)
    data.crop_size, data.crop_fraction, data.padding = 0, 0.0, 0
    data.evaluation_crop = "center"
    if settings.aligned:
        data.crop, data.min_scale, data.augmentation, data.margin = "center", 1.0, "flip", 0
        return
    if not (settings.run and settings.is_circular):
        data.crop, data.min_scale, data.augmentation = "random", LEAST_SCALE, "dihedral"
    # A camera's measurement of a patch depends on its surroundings.
    data.margin = 0 if settings.is_circular else estimate.plausible.shape[-1] // 2


def specialise(settings: Settings, place: Place, estimate: KernelEstimate) -> None:
    """Trains the network, or resumes its training, and exports it.

    A short trial measures, once, how many steps fit into the minutes.

    Raises:
        ValueError: the images cannot be trained on.
        Interrupted: SIGTERM came and the state is saved.
    """
    config = training_config(settings, place, estimate)
    config.validate()
    if "seconds_per_step" not in place.facts:
        logging.info("Measuring how long a training step takes.")
        seconds = seconds_per_step(copy.deepcopy(config))
        steps = steps_of(settings.minutes, seconds)
        place.keep(seconds_per_step=seconds, steps_per_epoch=math.ceil(steps / VALIDATIONS))
    config.training.steps = steps_of(settings.minutes, place.facts["seconds_per_step"])
    config.training.steps_per_epoch = place.facts["steps_per_epoch"]
    logging.info(
        "Training for %d steps, about %g min plus the time for reading and validation.",
        config.training.steps,
        settings.minutes,
    )
    train(config, place.training, extend=True)
    if place.facts.get("exported_steps") != config.training.steps:
        export_run(place.training, place.export, "last")
        place.keep(exported_steps=config.training.steps, images=settings.images)
