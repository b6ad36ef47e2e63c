"""The prior: a GAN whose generator stands for the set of clean images."""

import dataclasses
import reprlib
from pathlib import Path

import keras
import tensorflow as tf

import blind_gan_tf.networks  # noqa: F401 (registers them for loading)
from blind_gan_tf.latents import Latents
from blind_gan_tf.losses import discriminator_loss, generator_loss
from inversenet_tf.engine.adversarial import AdversarialModel, twin
from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.imaging.config import DataConfig
from inversenet_tf.imaging.config_parsing import config_from_dict, valid_config
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.shipped import preset_or_path

PRIOR_FILE = "prior.keras"


@keras.saving.register_keras_serializable("blind_gan_tf")
class Prior(AdversarialModel):
    """A generator and a discriminator together with the distribution of their latents.

    Args:
        generator: network from latents [batch, T] to images in [-1, 1].
        discriminator: network from such images to one logit each.
        latents: a `Latents`.
        training: dict with the training `step` of the networks and the `config` of their training;
            None where they come from elsewhere.

    Input: latents [batch, T]. Output: images [batch, height, width, channels] in [0, 1].
    """

    def __init__(self, generator, discriminator, latents, training=None, **kwargs):
        super().__init__(**kwargs)
        latents.validate()
        if generator.input_shape[1:] != (latents.size,):
            raise ValueError(
                f"Expected a generator of latents of size {latents.size}. Received: one of "
                f"{generator.input_shape[1:]}"
            )
        if generator.output_shape[1:] != discriminator.input_shape[1:]:
            raise ValueError(
                "Expected a discriminator of the generator's images. Received: "
                f"{discriminator.input_shape[1:]} and {generator.output_shape[1:]}"
            )
        self.generator = generator
        self.discriminator = discriminator
        self.latents = latents
        self.training = training
        self.built = True

    @property
    def image_shape(self):
        """(height, width, channels) of the images."""
        return tuple(self.generator.output_shape[1:])

    def training_data(self) -> DataConfig | None:
        """The config that the training images were made with; None where it is not known.

        Raises:
            ValueError: the prior, whose file may have been edited, holds no valid config.
        """
        if self.training is None:
            return None
        config = self.training.get("config") if isinstance(self.training, dict) else None
        if not isinstance(config, dict):
            raise ValueError(
                "Expected a prior with the config of its training. Received: "
                f"{reprlib.repr(self.training)}"
            )
        return valid_config(DataConfig, config.get("data"), "the prior's file")

    def call(self, latents, training=False):
        return (self.generator(latents, training=training) + 1.0) / 2.0

    @classmethod
    def load(cls, path: str | Path, dtype: str = "float32") -> "Prior":
        """Reads a trained prior: a preset, a `prior.keras`, or the work directory of its training.

        Args, raises:
            As `load_prior`.

        Example:

            prior = Prior.load("digits")  # the preset; or a run, as "runs/prior_celeba"
            digits = prior.sample(16, seed=1)  # [16, 32, 32, 1] in [0, 1]
        """
        return load_prior(path, dtype)

    def sample(self, count: int, seed: int = 0) -> tf.Tensor:
        """`count` random images [count, height, width, channels] in [0, 1]."""
        return self(self.latents.draw((count,), [seed, 0]), training=False)

    @property
    def networks(self):
        """The two networks by name."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def compile(
        self,
        *,
        optimizers,
        real_label=1.0,
        average=0.0,
        seed=0,
        config=None,
        learning_rate_factor=None,
    ):
        """Sets up training.

        Args:
            optimizers, learning_rate_factor: as for `AdversarialModel.compile`.
            real_label: label of real images, below 1 for one-sided label smoothing.
            average: decay of the exponential moving average of the generator's weights, 0 for
                none.
            seed: of the latents, which depend on it and on the step alone.
            config: dict of the training's config, kept in the trained prior.
        """
        super().compile(
            optimizers=optimizers,
            learning_rate_factor=learning_rate_factor,
            average=average,
            averaged=["generator"],
        )
        self.real_label = real_label
        self.seed = seed
        self.config = config

    def train_step(self, images):
        """One update of the discriminator, then one of the generator on the same latents."""
        real = images * 2.0 - 1.0
        latents = self._draw_for_step(tf.shape(images)[0])
        with tf.GradientTape() as generator_tape:
            generated = self.generator(latents, training=True)
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real, training=True)
            generated_logits = self.discriminator(tf.stop_gradient(generated), training=True)
            critic_loss = discriminator_loss(real_logits, generated_logits, self.real_label)
        logs = self.update("discriminator", tape, critic_loss)
        # The tape resumes recording here, so that the loss is that of the updated discriminator.
        with generator_tape:
            loss = generator_loss(self.discriminator(generated, training=True))
        logs |= self.update("generator", generator_tape, loss)
        self.steps_taken.assign_add(1)
        self.update_averages()
        return logs | {
            "real_score": tf.reduce_mean(tf.sigmoid(real_logits)),
            "generated_score": tf.reduce_mean(tf.sigmoid(generated_logits)),
        }

    def _draw_for_step(self, count):
        """This replica's share of the latents of a step, the same for any number of replicas."""
        context = tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group * count
        stream = tf.stack([tf.constant(self.seed, tf.int64), self.steps_taken])
        latents = self.latents.draw((count * context.num_replicas_in_sync,), stream)
        return latents[first : first + count]

    def test_step(self, images):
        """The discriminator's mean score on held-out images."""
        logits = self.discriminator(images * 2.0 - 1.0, training=False)
        return {"real_score": tf.reduce_mean(tf.sigmoid(logits))}

    def trained(self):
        """The prior to use: the generator, averaged if an average is kept, and discriminator."""
        training = {"step": self.step, "config": self.config}
        return Prior(self.in_use("generator"), self.discriminator, self.latents, training)

    def get_config(self):
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "latents": dataclasses.asdict(self.latents),
            "training": self.training,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the prior from `get_config`."""
        names = ("generator", "discriminator")
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
        return cls(**config | parts | {"latents": config_from_dict(Latents, config["latents"])})


def save_prior(prior: Prior, path: str | Path) -> None:
    """Writes a prior as one `.keras` file, whole or not at all."""
    with written_aside(path) as partial:
        prior.save(partial)


def load_prior(path: str | Path, dtype: str = "float32") -> Prior:
    """Reads a prior.

    Args:
        path: of a `.keras` file of `save_prior`, a work directory with one, or a preset's name.
        dtype: Keras dtype or policy of the hidden layers, whatever they were trained in.

    Raises:
        ValueError: the file does not exist, cannot be read, or holds no prior.
    """
    path = prior_file(path)
    try:
        prior = load_keras(path)
    except ValueError as error:
        raise ValueError(f"Cannot read the prior {path}: {error}") from error
    if not isinstance(prior, Prior):
        raise ValueError(f"Expected a prior in {path}. Received: a {type(prior).__name__}.")
    recast = [twin(network, dtype=dtype) for network in (prior.generator, prior.discriminator)]
    for network in recast:
        network.trainable = False
    return Prior(*recast, prior.latents, prior.training)


def prior_file(path: str | Path) -> Path:
    """The `.keras` file of a prior, given as for `load_prior`.

    Raises:
        ValueError: it does not exist.
    """
    path = preset_or_path(path)
    path = path / PRIOR_FILE if path.is_dir() else path
    if not path.is_file():
        raise ValueError(
            f"Expected a trained prior: a preset such as digits, or {PRIOR_FILE} from a run of "
            "tools/train.py with a config of configs/blind_gan/prior_*.py. Received: "
            f"{path}, which does not exist."
        )
    return path
