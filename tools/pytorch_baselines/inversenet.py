"""Algorithm 1 as a training step in PyTorch: what `models.inversenet.InverseNet` computes.

Signed images are [batch, channels, height, width] float32 in [-1, 1], in memory `channels_last`.
"""

import contextlib
import dataclasses

import torch
from torch.nn import functional

from pytorch_baselines.networks import DAE, Discriminator, UNet


@dataclasses.dataclass
class Settings:
    """The fields of `inversenet_tf.config.Config` that the step depends on."""

    channels: int = 3
    depth: int = 6
    dae_factor: int = 4
    dae_condition: str = "shuffled"
    discriminator_width: int = 64
    global_skip: bool = False
    reconstruction_weight: float = 0.5
    feature_weight: float = 0.5
    adversarial_weight: float = 1.0
    real_label: float = 0.99
    fake_label: float = 0.01
    reduction: str = "sum"
    learning_rate: float = 1e-4
    schedule: str = "constant"
    steps: int = 1500
    beta_1: float = 0.5
    beta_2: float = 0.999
    epsilon: float = 1e-8
    clip_norm: float = 5.0
    discriminator_steps: int = 1


def settings_of(config):
    """The `Settings`, as a dict, of a `Config` of deblurring by U-Net, DAE and discriminator."""
    parts = (config, config.data, config.network, config.loss, config.optimizer, config.training)
    settings = {}
    for field in dataclasses.fields(Settings):
        part = next(p for p in parts if hasattr(p, field.name))
        settings[field.name] = getattr(part, field.name)
    return settings


def build_networks(settings):
    """{name: module} of inverter, denoiser and discriminator, untrained."""
    s = settings
    return {
        "inverter": UNet(s.depth, s.channels, s.global_skip),
        "denoiser": DAE(s.dae_factor, s.channels, s.dae_condition, s.global_skip),
        "discriminator": Discriminator(s.channels, s.discriminator_width),
    }


def soft_gan_loss(logits, label):
    """Eq. 9."""
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def squared_distance(estimates, targets, reduction):
    """||estimates - targets||^2 per image, or the mean over all values."""
    if reduction == "mean":
        return functional.mse_loss(estimates, targets)
    return functional.mse_loss(estimates, targets, reduction="sum") / len(estimates)


class TrainingStep:
    """The step of Algorithm 1, with its networks and optimizers.

    Args:
        networks: dict of "inverter", "denoiser" and "discriminator".
        settings: `Settings`.
        comparator: module from images in [0, 1] to features, or None.
        autocast: whether the networks compute in bfloat16.
        compiled: whether TorchInductor compiles each network's part, together with its loss.
    """

    def __init__(self, networks, settings, comparator=None, autocast=False, compiled=False):
        self.networks = {
            name: network.to(memory_format=torch.channels_last).train()
            for name, network in networks.items()
        }
        self.settings = settings
        self.comparator = comparator
        self.autocast = autocast
        compile_ = torch.compile if compiled else lambda function: function
        self._invert = compile_(self._invert)
        self._denoise = compile_(self._denoise)
        self._discriminator_loss = compile_(self._discriminator_loss)
        self._generator_loss = compile_(self._generator_loss)
        self._features = compile_(self._features)
        self.optimizers, self.schedules = {}, {}
        for name, network in networks.items():
            s, parameters = settings, list(network.parameters())
            self.optimizers[name] = torch.optim.Adam(
                parameters, s.learning_rate, (s.beta_1, s.beta_2), s.epsilon, fused=True
            )
            if s.schedule == "cosine":
                updates = s.steps * (s.discriminator_steps if name == "discriminator" else 1)
                self.schedules[name] = torch.optim.lr_scheduler.CosineAnnealingLR(
                    self.optimizers[name], updates
                )

    def __call__(self, measurements, images):
        """A batch in [0, 1] -> dict of scalar tensors: losses, norms before clipping, scores."""
        measurements, images = measurements * 2.0 - 1.0, images * 2.0 - 1.0
        inverted = self._invert(measurements)
        estimates = {"inverter": inverted}
        estimates["denoiser"] = self._denoise(inverted.detach(), measurements)
        fakes = [estimate.detach() for estimate in estimates.values()]
        logs = {}
        for _ in range(self.settings.discriminator_steps):
            loss, real_score, generated_score = self._discriminator_loss(images, *fakes)
            logs |= self._update("discriminator", loss)
            logs |= {"real_score": real_score, "generated_score": generated_score}
        features = None
        if self.comparator is not None:
            with torch.no_grad():
                features = self._features(images)
        with self._frozen("discriminator"):  # no gradients for its weights
            for name, estimate in estimates.items():
                loss = self._generator_loss(estimate, images, features)
                logs |= self._update(name, loss)
        return logs

    def _mixed(self):
        """Autocast, to be left before the weights change, as it caches their copies in bfloat16."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self.autocast)

    @contextlib.contextmanager
    def _frozen(self, name):
        self.networks[name].requires_grad_(False)
        yield
        self.networks[name].requires_grad_(True)

    def _invert(self, measurements):
        with self._mixed():
            return self.networks["inverter"](measurements)

    def _denoise(self, inverted, measurements):
        with self._mixed():
            return self.networks["denoiser"](inverted, measurements)

    def _features(self, images):
        return self.comparator((images + 1.0) / 2.0)

    def _discriminator_loss(self, images, *fakes):
        """Eq. 10, and the mean probabilities of being real."""
        s, discriminator = self.settings, self.networks["discriminator"]
        with self._mixed():
            real, *generated = (discriminator(x) for x in (images, *fakes))
        loss = soft_gan_loss(real, s.real_label)
        loss = loss + sum(soft_gan_loss(logits, s.fake_label) for logits in generated)
        scores = [torch.sigmoid(x.detach()).mean() for x in (real, torch.cat(generated))]
        return loss, *scores

    def _generator_loss(self, estimates, images, features):
        """Eqs. 11 and 12."""
        s = self.settings
        with self._mixed():
            logits = self.networks["discriminator"](estimates)
        loss = s.reconstruction_weight * squared_distance(estimates, images, s.reduction)
        loss = loss + s.adversarial_weight * soft_gan_loss(logits, s.real_label)
        if features is not None:
            compared = self._features(estimates)
            loss = loss + s.feature_weight * squared_distance(compared, features, s.reduction)
        return loss

    def _update(self, name, loss):
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = self.networks[name].parameters()
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm, foreach=True)
        optimizer.step()
        if name in self.schedules:
            self.schedules[name].step()
        return {f"{name}_loss": loss.detach(), f"{name}_gradient_norm": norm}
