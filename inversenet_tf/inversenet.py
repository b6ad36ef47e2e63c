"""InverseNet: the two networks, and Algorithm 1 as a training step."""

import math

import keras
import tensorflow as tf

from inversenet_tf.imaging.metrics import MetricProfile, psnr, ssim
from inversenet_tf.losses import discriminator_loss, generator_loss
from inversenet_tf.padding import crop_to, pad_to_multiple

NETWORKS = ("discriminator", "unet", "dae")
LOSSES = tuple(f"{network}_loss" for network in NETWORKS)
GRADIENT_NORMS = tuple(f"{network}_gradient_norm" for network in NETWORKS)  # before clipping
SCORES = ("psnr_inverted", "psnr_restored", "ssim_inverted", "ssim_restored")


def to_signed(images):
    """[0, 1] -> [-1, 1], the range of the networks' tanh."""
    return images * 2.0 - 1.0


def from_signed(signed):
    """[-1, 1] -> [0, 1]."""
    return (signed + 1.0) / 2.0


@keras.saving.register_keras_serializable("inversenet_tf")
class InverseNet(keras.Model):
    """measurements -> inverted (z, by the U-Net) -> restored (by the DAE), Fig. 2.

    Args:
        unet: network from signed measurements to signed z; has `multiple`.
        dae: network from z, or [z, y], to the signed restored image; has `factor`, `condition`.
        discriminator: network from signed images to one logit each; None where the model is
            only to be used.
        boundary: how an image whose size does not fit the networks is extended, see
            `pad_to_multiple`: the operator's.

    Input: [batch, height, width, channels] in [0, 1], of any height and width. Output: a dict of
    `inverted` and `restored`, of the same shape and range (not clipped to it).
    """

    def __init__(self, unet, dae, discriminator=None, boundary="circular", **kwargs):
        super().__init__(**kwargs)
        self.unet = unet
        self.dae = dae
        self.discriminator = discriminator
        self.boundary = boundary
        self.built = True

    def call(self, measurements, training=False):
        multiple = math.lcm(self.unet.multiple, self.dae.factor)
        padded = to_signed(pad_to_multiple(measurements, multiple, self.boundary))
        inverted = self.unet(padded, training=training)
        restored = self._denoise(inverted, padded, training)
        size = tf.shape(measurements)[1:3]
        return {
            "inverted": crop_to(from_signed(inverted), size),
            "restored": crop_to(from_signed(restored), size),
        }

    def restore(self, measurements):
        """The model in use: as a call, with both outputs clipped to [0, 1]."""
        outputs = self(measurements, training=False)
        return {name: tf.clip_by_value(images, 0.0, 1.0) for name, images in outputs.items()}

    def _denoise(self, inverted, measurements, training):
        inputs = inverted if self.dae.condition == "none" else [inverted, measurements]
        return self.dae(inputs, training=training)

    def compile(
        self,
        *,
        optimizers,
        losses,
        clip_norm=5.0,
        discriminator_steps=1,
        comparator=None,
        profile=None,
    ):
        """Sets up training by Algorithm 1.

        Args:
            optimizers: dict of one Keras optimizer each for `discriminator`, `unet` and `dae`;
                inside a strategy's scope.
            losses: a `LossConfig`: the weights and labels of Eqs. 9 to 12.
            clip_norm: each network's gradient is scaled down to this global norm (A.1).
            discriminator_steps: K.
            comparator: callable from images in [0, 1] to features, frozen; None for off.
            profile: `MetricProfile` of the validation's PSNR and SSIM.
        """
        super().compile(optimizer=None, jit_compile=False)
        self.optimizers = optimizers
        for name, optimizer in optimizers.items():
            optimizer.build(getattr(self, name).trainable_variables)
        self.losses_config = losses
        self.clip_norm = clip_norm
        self.discriminator_steps = discriminator_steps
        self.comparator = comparator
        self.profile = profile or MetricProfile()
        names = (*LOSSES, *GRADIENT_NORMS, *SCORES)
        self._trackers = {name: keras.metrics.Mean(name) for name in names}

    @property
    def metrics(self):
        return list(getattr(self, "_trackers", {}).values())

    @property
    def step(self):
        """Training steps taken so far."""
        return int(self.optimizers["unet"].iterations.numpy())

    @property
    def state(self):
        """What a checkpoint holds, by name; the step is the optimizers' iteration count."""
        networks = {name: getattr(self, name) for name in NETWORKS}
        return networks | {f"{name}_optimizer": o for name, o in self.optimizers.items()}

    def train_step(self, data):
        """One turn of Algorithm 1 on a batch of (measurements, images)."""
        measurements, images, _ = keras.utils.unpack_x_y_sample_weight(data)
        measurements, images = to_signed(measurements), to_signed(images)
        with tf.GradientTape() as unet_tape:
            inverted = self.unet(measurements, training=True)
        # Eq. 12 trains the DAE alone. Algorithm 1 would recompute z after the U-Net's update;
        # here all three updates share one z, because that differs by a single Adam step only.
        with tf.GradientTape() as dae_tape:
            restored = self._denoise(tf.stop_gradient(inverted), measurements, training=True)
        for _ in range(self.discriminator_steps):
            logs = self._train_discriminator(images, inverted, restored)
        features = None if self.comparator is None else self.comparator(from_signed(images))
        # The tapes go on recording, now that the discriminator is the updated one.
        with unet_tape:
            unet_loss = self._generator_loss(inverted, images, features)
        logs |= self._update("unet", unet_tape, unet_loss)
        with dae_tape:
            dae_loss = self._generator_loss(restored, images, features)
        logs |= self._update("dae", dae_tape, dae_loss)
        return self._record(logs)

    def _train_discriminator(self, images, inverted, restored):
        weights = self.losses_config
        with tf.GradientTape() as tape:
            logits = [
                self.discriminator(batch, training=True)
                for batch in (images, tf.stop_gradient(inverted), tf.stop_gradient(restored))
            ]
            loss = discriminator_loss(*logits, weights.real_label, weights.fake_label)
        return self._update("discriminator", tape, loss)

    def _generator_loss(self, estimates, images, features):
        weights = self.losses_config
        compared = None if features is None else self.comparator(from_signed(estimates))
        return generator_loss(
            self.discriminator(estimates, training=True),
            estimates,
            images,
            real_label=weights.real_label,
            reconstruction_weight=weights.reconstruction_weight,
            estimated_features=compared,
            true_features=features,
            feature_weight=weights.feature_weight,
            reduction=weights.reduction,
        )

    def _update(self, name, tape, loss):
        """Averages the gradient over the replicas, clips it, and only then applies it.

        Returns the loss and the gradient's norm by name.
        """
        variables = getattr(self, name).trainable_variables
        gradients = tape.gradient(loss, variables)
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        gradients, norm = tf.clip_by_global_norm(gradients, self.clip_norm)
        # The optimizer sums over the replicas, which by now all hold the same gradient.
        share = 1.0 / context.num_replicas_in_sync
        self.optimizers[name].apply([gradient * share for gradient in gradients], variables)
        return {f"{name}_loss": loss, f"{name}_gradient_norm": norm}

    def test_step(self, data):
        """PSNR and SSIM of both outputs on a batch of (measurements, images)."""
        measurements, images, _ = keras.utils.unpack_x_y_sample_weight(data)
        scores = {}
        for name, estimates in self(measurements, training=False).items():
            scores[f"psnr_{name}"] = psnr(estimates, images, self.profile)
            scores[f"ssim_{name}"] = ssim(estimates, images, self.profile)
        return self._record(scores)

    def _record(self, values):
        for name, value in values.items():
            self._trackers[name].update_state(value)
        return {name: self._trackers[name].result() for name in values}

    def get_config(self):
        return {
            "unet": keras.saving.serialize_keras_object(self.unet),
            "dae": keras.saving.serialize_keras_object(self.dae),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "boundary": self.boundary,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model from `get_config`."""
        networks = {name: keras.saving.deserialize_keras_object(config[name]) for name in NETWORKS}
        return cls(**config | networks)
