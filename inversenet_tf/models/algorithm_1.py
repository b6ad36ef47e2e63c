"""Algorithm 1 as a training step: the discriminator, then the inverter, then the denoiser."""

import tensorflow as tf

from inversenet_tf.engine.adversarial import AdversarialModel
from inversenet_tf.imaging.metrics import MetricProfile
from inversenet_tf.imaging.signed import from_signed
from inversenet_tf.models.losses import discriminator_loss, generator_loss, squared_distance


class TrainedByAlgorithm1(AdversarialModel):
    """A model of an inverter, a denoiser and a discriminator, which may be None.

    A subclass implements `_estimate`, which computes the estimates of a batch.
    """

    def compile(
        self,
        *,
        optimizers,
        losses,
        clip_norm=5.0,
        discriminator_steps=1,
        pretraining_steps=0,
        comparator=None,
        profile=None,
        learning_rate_factor=None,
        average=0.0,
    ):
        """Sets up training by Algorithm 1.

        Args:
            optimizers, clip_norm, learning_rate_factor: as for `AdversarialModel.compile` (A.1).
            average: as there, for the inverter and the denoiser.
            losses: a `LossConfig`: the weights and labels of Eqs. 9 to 12.
            discriminator_steps: K, the discriminator's updates in each step.
            pretraining_steps: of the inverter and the denoiser, on the squared distance alone.
            comparator: frozen callable from images in [0, 1] to features; None for none.
            profile: `MetricProfile` of the validation's PSNR and SSIM.
        """
        averaged = [name for name in self.networks if name != "discriminator"]
        super().compile(
            optimizers=optimizers,
            clip_norm=clip_norm,
            learning_rate_factor=learning_rate_factor,
            average=average,
            averaged=averaged,
        )
        self.losses_config = losses
        self.discriminator_steps = discriminator_steps
        self.pretraining_steps = pretraining_steps
        self.comparator = comparator
        self.profile = profile or MetricProfile()

    @property
    def next_step(self):
        return self.pretrain_step if self.step < self.pretraining_steps else self.train_step

    def train_step(self, data):
        """One iteration of Algorithm 1 on a batch of (measurements, images)."""
        images, estimates, tapes, pixel_weights = self._estimate(data)
        logs = {}
        if self.discriminator is not None:
            for _ in range(self.discriminator_steps):
                logs |= self._train_discriminator(images, estimates.values())
        features = None if self.comparator is None else self.comparator(from_signed(images))

        def loss(estimate):  # by the updated discriminator
            return self._generator_loss(estimate, images, pixel_weights, features)

        return logs | self._train_generators(estimates, tapes, loss)

    def pretrain_step(self, data):
        """Trains inverter and denoiser for a step on the squared distance alone, as in SRGAN."""
        images, estimates, tapes, pixel_weights = self._estimate(data)
        weights = self.losses_config

        def loss(estimate):
            distance = squared_distance(estimate, images, weights.reduction, pixel_weights)
            return weights.reconstruction_weight * distance

        return self._train_generators(estimates, tapes, loss)

    def _estimate(self, data):
        """The estimates of a batch, each with the tape that recorded it.

        Args:
            data: (measurements, images).

        Returns:
            (signed images; {network: signed estimate}; {network: tape}; the weight of each pixel
            in the squared distance, or None if all are equal).
        """
        raise NotImplementedError

    def _train_discriminator(self, images, estimates):
        weights = self.losses_config
        with tf.GradientTape() as tape:
            real = self.discriminator(images, training=True)
            fakes = [self.discriminator(tf.stop_gradient(e), training=True) for e in estimates]
            loss = discriminator_loss(real, fakes, weights.real_label, weights.fake_label)
        scores = {
            "real_score": tf.reduce_mean(tf.sigmoid(real)),
            "generated_score": tf.reduce_mean(tf.sigmoid(tf.concat(fakes, 0))),
        }
        return self.update("discriminator", tape, loss) | scores

    def _train_generators(self, estimates, tapes, loss):
        """Updates each generator by its own loss, Eqs. 11 and 12, which ends a step."""
        logs = {}
        for name, tape in tapes.items():
            with tape:  # goes on recording
                loss_of_network = loss(estimates[name])
            logs |= self.update(name, tape, loss_of_network)
        self.steps_taken.assign_add(1)
        self.update_averages()
        return logs

    def _generator_loss(self, estimates, images, pixel_weights, features):
        weights, logits, compared = self.losses_config, None, None
        if self.discriminator is not None:
            logits = self.discriminator(estimates, training=True)
        if features is not None:
            compared = self.comparator(from_signed(estimates))
        return generator_loss(
            logits,
            estimates,
            images,
            real_label=weights.real_label,
            adversarial_weight=weights.adversarial_weight,
            reconstruction_weight=weights.reconstruction_weight,
            estimated_features=compared,
            true_features=features,
            feature_weight=weights.feature_weight,
            reduction=weights.reduction,
            pixel_weights=pixel_weights,
        )
