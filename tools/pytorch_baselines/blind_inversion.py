"""Algorithm 1 of blind inversion in PyTorch, in a plain and in an optimized form.

Both compute what `blind_gan_tf.inversion.invert` does with one start and one candidate. Letters in
shape comments: o operators, n measurements of an operator, s sources in one measurement, T entries
of a latent vector, c channels.
"""

import torch
from torch import nn
from torch.nn import functional


class LinearConvolution(nn.Module):
    """Section 3.1's surrogate: 16 @ 5x5, then c @ 5x5, circular; for one operator."""

    def __init__(self, image_channels=3, channels=3, filters=16, kernel_size=5):
        super().__init__()
        self.first = nn.Conv2d(image_channels, filters, kernel_size, bias=False)
        self.second = nn.Conv2d(filters, channels, kernel_size, bias=False)
        self.reach = kernel_size - 1

    def forward(self, images):
        """[1, n, c, height, width] -> the same shape with the measurements' channels."""
        padded = functional.pad(images[0], [self.reach] * 4, mode="circular")
        return self.second(self.first(padded))[None]


class MixingNetworks(nn.Module):
    """Section 3.2's surrogates: s -> 16, ReLU -> mixtures at each pixel; one for each operator."""

    def __init__(self, operators=1, sources=3, mixtures=1, units=16):
        super().__init__()
        self.first = nn.Parameter(torch.empty(operators, sources, units))
        self.first_bias = nn.Parameter(torch.zeros(operators, units))
        self.second = nn.Parameter(torch.empty(operators, units, mixtures))
        self.second_bias = nn.Parameter(torch.zeros(operators, mixtures))
        for stack in (self.first, self.second):
            for kernel in stack:
                nn.init.xavier_uniform_(kernel)

    def forward(self, images):
        """[o, n, s, height, width] -> [o, n, mixtures, height, width]."""
        operators, number, sources, height, width = images.shape
        pixels = images.permute(0, 1, 3, 4, 2).reshape(operators, -1, sources)
        hidden = torch.baddbmm(self.first_bias[:, None], pixels, self.first).relu()
        outputs = torch.baddbmm(self.second_bias[:, None], hidden, self.second)
        return outputs.reshape(operators, number, height, width, -1).permute(0, 1, 4, 2, 3)


class Inversion:
    """What both forms have in common.

    Args:
        measurements: [o, n, c, height, width].
        generator, discriminator: of `pytorch_baselines.priors`; no discriminator if `alpha` is 0.
        surrogate: one of the modules above.
        latents: the first ones, [o, n, s, T].
        steps: T1 and T2.
        alpha: weight of L_per.
        surrogate_learning_rate, latent_learning_rate: of Adam; epsilon is Keras'.
    """

    def __init__(
        self,
        measurements,
        generator,
        discriminator,
        surrogate,
        latents,
        *,
        steps=50,
        alpha=1e-4,
        surrogate_learning_rate=4e-3,
        latent_learning_rate=3e-4,
    ):
        self.measurements = measurements
        self.generator = generator.eval()
        self.discriminator = discriminator.eval() if alpha else None
        self.surrogate = surrogate
        self.latents = latents.clone().requires_grad_()
        self.steps = steps
        self.alpha = alpha
        self.surrogate_adam = self.adam(surrogate.parameters(), surrogate_learning_rate)
        self.latent_adam = self.adam([self.latents], latent_learning_rate)

    def adam(self, parameters, rate):
        return torch.optim.Adam(parameters, rate, eps=1e-7)

    def generate(self, latents):
        """G(z): sources stacked as channels [o, n, s * c, height, width]; and signed, unstacked."""
        signed = self.generator(latents.flatten(0, 2))
        images = (signed + 1.0) / 2.0
        return images.reshape(*latents.shape[:2], -1, *images.shape[2:]), signed

    def distance(self, images):
        """||F-hat(G(z)) - Y||_1, summed over everything."""
        return (self.surrogate(images) - self.measurements).abs().sum()

    def objective(self):
        """The loss of Algorithm 1."""
        images, signed = self.generate(self.latents)
        loss = self.distance(images)
        if self.alpha:
            realism = -functional.softplus(self.discriminator(signed))
            loss = loss + self.alpha * realism.sum()
        return loss


class PlainInversion(Inversion):
    """The plain form: evaluates the whole objective in every step of either phase."""

    def run_round(self):
        """One turn of the outer loop; returns the last loss."""
        for _ in range(self.steps):
            self.surrogate_adam.zero_grad()
            loss = self.objective()
            loss.backward()
            self.surrogate_adam.step()
        for _ in range(self.steps):
            self.latent_adam.zero_grad()
            loss = self.objective()
            loss.backward()
            self.latent_adam.step()
            with torch.no_grad():
                self.latents.clamp_(-1.0, 1.0)
        return loss.item()


class CachedInversion(Inversion):
    """Computes G(z) once for all surrogate steps, and only the gradients that a phase needs.

    Args:
        precision: "float32", or "bfloat16" for autocast.
        compiled: whether the loss of either phase goes through `torch.compile`.
        *parts, **options: arguments of `Inversion`.
    """

    def __init__(self, *parts, precision="float32", compiled=False, **options):
        super().__init__(*parts, **options)
        for network in (self.generator, self.discriminator, self.surrogate):
            if network is not None:
                network.requires_grad_(False).to(memory_format=torch.channels_last)
        self._autocast = {"dtype": torch.bfloat16, "enabled": precision == "bfloat16"}
        compile_ = torch.compile if compiled else (lambda function: function)
        self._latent_loss = compile_(self.objective)
        self._surrogate_loss = compile_(self.distance)

    def adam(self, parameters, rate):
        return torch.optim.Adam(parameters, rate, eps=1e-7, fused=True)

    def run_round(self):
        """One turn of the outer loop; returns the last loss."""
        with torch.no_grad(), torch.autocast("cpu", **self._autocast):
            images, _ = self.generate(self.latents.detach())
        self.surrogate.requires_grad_(True)
        for _ in range(self.steps):
            self._step(self.surrogate_adam, self._surrogate_loss, images)
        self.surrogate.requires_grad_(False)
        for _ in range(self.steps):
            loss = self._step(self.latent_adam, self._latent_loss)
            with torch.no_grad():
                self.latents.clamp_(-1.0, 1.0)
        return loss.item()

    def _step(self, adam, loss_of, *arguments):
        adam.zero_grad()
        with torch.autocast("cpu", **self._autocast):
            loss = loss_of(*arguments)
        loss.backward()
        adam.step()
        return loss
