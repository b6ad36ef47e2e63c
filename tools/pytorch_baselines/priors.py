"""The networks of the priors in PyTorch, and the step that trains them.

Images are [batch, channels, height, width] in [-1, 1], in the memory of `channels_last` where the
network is. Outputs are float32, also under autocast.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

KERNEL_SIZE = 4
KERNEL_STDDEV = 0.02
SLOPE = 0.2


class Transposed(nn.ConvTranspose2d):
    """Conv2DTranspose(4, padding "same"): crops a pixel on each side, with stride 1 two behind."""

    def __init__(self, inputs, outputs, stride=2, bias=False):
        super().__init__(inputs, outputs, KERNEL_SIZE, stride, padding=1, bias=bias)

    def forward(self, features):
        outputs = super().forward(features)
        return outputs if self.stride[0] == 2 else outputs[..., :-1, :-1]


def _projected(latent_size, outputs):
    """Latents [batch, T, 1, 1] -> 4 x 4 features: the first step of a generator."""
    return _normalised(nn.ConvTranspose2d(latent_size, outputs, KERNEL_SIZE, bias=False), outputs)


def _grown(inputs, outputs, stride=2):
    return _normalised(Transposed(inputs, outputs, stride), outputs)


def _normalised(convolution, outputs):
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _shrunk(inputs, outputs, stride=2, norm=True):
    """Convolution, batch norm, LeakyReLU 0.2: one step of a discriminator."""
    padding = 1 if stride == 2 else "same"
    layers = [nn.Conv2d(inputs, outputs, KERNEL_SIZE, stride, padding, bias=not norm)]
    layers += [nn.BatchNorm2d(outputs)] if norm else []
    return [*layers, nn.LeakyReLU(SLOPE, inplace=True)]


class Generator(nn.Module):
    """Latents [batch, T] -> images."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, latents):
        return torch.tanh(self.layers(latents[:, :, None, None]).float())


class Discriminator(nn.Module):
    """Images -> logits [batch]."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, images):
        return self.layers(images).flatten().float()


def _initialise(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=KERNEL_STDDEV)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def dcgan(channels=3, width=64, latent_size=100):
    """(generator, discriminator) of 64 x 64 images."""
    generator = Generator(
        *_projected(latent_size, 8 * width),
        *_grown(8 * width, 4 * width),
        *_grown(4 * width, 2 * width),
        *_grown(2 * width, width),
        Transposed(width, channels, bias=True),
    )
    discriminator = Discriminator(
        *_shrunk(channels, width, norm=False),
        *_shrunk(width, 2 * width),
        *_shrunk(2 * width, 4 * width),
        *_shrunk(4 * width, 8 * width),
        nn.Conv2d(8 * width, 1, KERNEL_SIZE),
    )
    return generator, discriminator


def digits(channels=1, width=32, latent_size=100):
    """(generator, discriminator) of 32 x 32 digits."""
    generator = Generator(
        *_projected(latent_size, 4 * width),
        *_grown(4 * width, 4 * width),
        *_grown(4 * width, 2 * width, stride=1),
        *_grown(2 * width, 2 * width),
        *_grown(2 * width, width),
        Transposed(width, channels, stride=1, bias=True),
    )
    discriminator = Discriminator(
        *_shrunk(channels, width, stride=1, norm=False),
        *_shrunk(width, 2 * width),
        *_shrunk(2 * width, 2 * width),
        *_shrunk(2 * width, 4 * width, stride=1),
        *_shrunk(4 * width, 4 * width),
        nn.Conv2d(4 * width, 1, KERNEL_SIZE),
    )
    return generator, discriminator


NETWORKS = {"dcgan": dcgan, "digits": digits}


def load_weights(module, network):
    """Copies the weights of our Keras network, layer by layer, in order.

    Raises:
        ValueError: the layers or shapes differ.
    """
    layers = [layer for layer in module.modules() if list(layer.parameters(recurse=False))]
    weights = [layer.get_weights() for layer in network.layers if layer.weights]
    for layer, arrays in zip(layers, weights, strict=True):
        targets = [layer.weight] + ([] if layer.bias is None else [layer.bias])
        if isinstance(layer, nn.BatchNorm2d):
            targets += [layer.running_mean, layer.running_var]
        for target, array in zip(targets, arrays, strict=True):
            copy_array(target, array)


def copy_array(target, array):
    """Copies a Keras array into a PyTorch tensor; kernels [h, w, a, b] become [b, a, h, w].

    Raises:
        ValueError: the shapes differ.
    """
    array = array.transpose((3, 2, 0, 1)) if array.ndim == 4 else array
    if target.shape != array.shape:
        raise ValueError(f"Expected shape {tuple(target.shape)}. Received: {array.shape}")
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.ascontiguousarray(array)))


class GANStep:
    """One update of the discriminator, then one of the generator on the same latents.

    Args:
        generator, discriminator: the networks to train, which become `channels_last`.
        rate, beta_1, beta_2: of Adam; epsilon is Keras'.
        real_label: label of real images.
        precision: "float32", or "bfloat16" for autocast.
        compiled: whether both networks go through `torch.compile`.
    """

    def __init__(
        self,
        generator,
        discriminator,
        rate=2e-4,
        beta_1=0.5,
        beta_2=0.999,
        real_label=1.0,
        precision="float32",
        compiled=False,
    ):
        def adam(network):
            return torch.optim.Adam(
                network.parameters(), rate, (beta_1, beta_2), eps=1e-7, fused=True
            )

        networks = [generator, discriminator]
        networks = [n.train().to(memory_format=torch.channels_last) for n in networks]
        self._optimizers = [adam(network) for network in networks]
        compile_ = torch.compile if compiled else (lambda network: network)
        self._generator, self._discriminator = (compile_(network) for network in networks)
        self._parameters = list(discriminator.parameters())
        self._real_label = real_label
        self._autocast = {"dtype": torch.bfloat16, "enabled": precision == "bfloat16"}

    def __call__(self, real, latents):
        """Takes the step on signed images and latents; returns (critic loss, generator loss)."""
        of_generator, of_discriminator = self._optimizers
        with torch.autocast("cpu", **self._autocast):
            generated = self._generator(latents)
            real_logits = self._discriminator(real)
            generated_logits = self._discriminator(generated.detach())
        labels = torch.full_like(real_logits, self._real_label)
        critic_loss = functional.binary_cross_entropy_with_logits(real_logits, labels)
        critic_loss = critic_loss + functional.softplus(generated_logits).mean()
        of_discriminator.zero_grad()
        critic_loss.backward()
        of_discriminator.step()
        # The generator's loss needs no gradients of the discriminator's weights.
        for parameter in self._parameters:
            parameter.requires_grad_(False)
        with torch.autocast("cpu", **self._autocast):
            logits = self._discriminator(generated)
        loss = functional.softplus(-logits).mean()
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        return critic_loss.item(), loss.item()
