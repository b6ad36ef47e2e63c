"""Networks of deepinv, trained as by its users: one network, Adam, mean squared error.

Each is a function of measurements and a physics. Some see the measurements alone; the others know
the kernel, as ours does: a network behind deepinv's Wiener filter, and an unrolled algorithm.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from pytorch_baselines.loaded_deepinv import deepinv

CHANNELS = 3
MULTIPLE = 8  # of an image's sides, which the U-Net of four scales halves three times
# What follows was chosen on the training photographs, see docs/speed.md.
WIENER_REGULARIZATION = 6e-5
STEP_SIZE = 100.0  # initial, of the unrolled algorithm
ITERATIONS, PRIOR_DEPTH, PRIOR_WIDTH = 4, 7, 32  # of the unrolled algorithm
UNET_WIDTHS = (16, 32, 64, 128)  # of the U-Net behind the Wiener filter


class Corrected(nn.Module):
    """A network that corrects what a reconstruction makes of the measurements.

    Args:
        reconstruct: function of measurements and a physics, or None: the measurements themselves.
        network: of images, of any size.
    """

    def __init__(self, reconstruct, network):
        super().__init__()
        self.reconstruct = reconstruct
        self.network = network

    def forward(self, measurements, physics):
        if self.reconstruct is None:
            return self.network(measurements)
        return self.network(self.reconstruct(measurements, physics))


class CircularlyPadded(nn.Module):
    """A network whose input is padded circularly at the bottom and right to multiples it needs."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        height, width = images.shape[-2:]
        missing = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        return self.network(functional.pad(images, missing, mode="circular"))[..., :height, :width]


def wiener_filter():
    """deepinv's Wiener filter, with a prior of smooth images."""
    return deepinv.models.WienerDeconvolution(WIENER_REGULARIZATION, prior="laplacian")


def unet(**options):
    """deepinv's U-Net of four scales, for images of any size."""
    return CircularlyPadded(deepinv.models.UNet(CHANNELS, CHANNELS, **options))


def dncnn(**options):
    """deepinv's DnCNN, which adds its output to its input."""
    return deepinv.models.DnCNN(CHANNELS, CHANNELS, pretrained=None, **options)


def unrolled():
    """Half-quadratic splitting with the exact data step, and one DnCNN for all iterations.

    deepinv's example of deblurring also has four iterations that begin at a regularized inverse;
    its example for beginners has five, and a DnCNN of seven layers. Here: four, and half of that
    DnCNN's width, with which a step takes a third of the time.
    """
    prior = dncnn(depth=PRIOR_DEPTH, nf=PRIOR_WIDTH)
    return deepinv.optim.HQS(
        data_fidelity=deepinv.optim.data_fidelity.L2(),
        prior=deepinv.optim.prior.PnP(prior),
        stepsize=[STEP_SIZE] * ITERATIONS,
        max_iter=ITERATIONS,
        unfold=True,
        trainable_params=["stepsize"],
        custom_init=wiener_filter(),
    )


def unet_behind_wiener_filter():
    """With a quarter of the default widths, and without batch norm, which delays learning."""
    return Corrected(wiener_filter(), unet(channels_per_scale=UNET_WIDTHS, batch_norm=False))


NETWORKS = {
    "UNet": lambda: Corrected(None, unet(scales=4)),
    "DnCNN": lambda: Corrected(None, dncnn(depth=10)),
    "UNet behind its Wiener filter": unet_behind_wiener_filter,
    "unrolled HQS": unrolled,
}


class Restoration:
    """Trains and applies a network of `NETWORKS`.

    Args:
        name: of the network.
        kernel: NumPy's [height, width], of the circular blur of all measurements.
        learning_rate: initial one, of Adam.
        autocast: the network computes in bfloat16, but for Fourier transforms.
    """

    def __init__(self, name, kernel, learning_rate, autocast=False):
        torch.manual_seed(0)
        self.kernel = torch.as_tensor(kernel, dtype=torch.float32)[None, None]
        self._physics = {}  # by the images' size
        self.network = NETWORKS[name]().to(memory_format=torch.channels_last).train()
        self.learning_rate = learning_rate
        self.optimizer = torch.optim.Adam(self.network.parameters(), learning_rate, fused=True)
        self.autocast = autocast

    def train_step(self, measurements, images, done):
        """One step on a batch [batch, 3, height, width] in [0, 1]; returns the loss.

        Args:
            measurements, images: the batch.
            done: fraction of the training, from 0 to 1: the rate follows a cosine down to zero.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        self.optimizer.zero_grad(set_to_none=True)
        loss = functional.mse_loss(self._restored(measurements), images)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def restore(self, measurements):
        """Restores [batch, 3, height, width] in [0, 1], of any size."""
        self.network.eval()
        with torch.no_grad():
            restored = self._restored(measurements)
        self.network.train()
        return restored.clamp(0.0, 1.0)

    def physics(self, height, width):
        """deepinv's circular blur of images of this size, which the networks are given."""
        if (height, width) not in self._physics:
            shape = (CHANNELS, height, width)
            self._physics[height, width] = deepinv.physics.BlurFFT(shape, self.kernel)
        return self._physics[height, width]

    def _restored(self, measurements):
        physics = self.physics(*measurements.shape[-2:])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            restored = self.network(measurements, physics)
        return restored.float()
