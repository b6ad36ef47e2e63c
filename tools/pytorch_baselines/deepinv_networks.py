"""Networks of deepinv, trained as its users do: one network, Adam, mean squared error."""

import math

import torch
from deepinv.models import DnCNN, UNet
from torch.nn import functional

NETWORKS = {
    "UNet": lambda: UNet(in_channels=3, out_channels=3, scales=4),
    "DnCNN": lambda: DnCNN(in_channels=3, out_channels=3, depth=10, pretrained=None),
}
MULTIPLE = 8  # of an image's sides: what the U-Net of four scales halves by


class Restoration:
    """A network of `NETWORKS`, its training step and its use.

    Args:
        name: of the network.
        learning_rate: of Adam, at first.
        autocast: the network computes in bfloat16.
    """

    def __init__(self, name, learning_rate, autocast=False):
        torch.manual_seed(0)
        self.network = NETWORKS[name]().to(memory_format=torch.channels_last).train()
        self.learning_rate = learning_rate
        self.optimizer = torch.optim.Adam(self.network.parameters(), learning_rate, fused=True)
        self.autocast = autocast

    def train_step(self, measurements, images, done):
        """One step on a batch [batch, 3, height, width] in [0, 1]; returns the loss.

        Args:
            measurements, images: the batch.
            done: share of the training, from 0 to 1: the rate follows a cosine down to zero.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        self.optimizer.zero_grad(set_to_none=True)
        loss = functional.mse_loss(self._restored(measurements), images)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def restore(self, measurements):
        """[batch, 3, height, width] in [0, 1] of any size, padded as the circular blur was."""
        self.network.eval()
        height, width = measurements.shape[-2:]
        missing = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        with torch.no_grad():
            padded = functional.pad(measurements, missing, mode="circular")
            restored = self._restored(padded)[..., :height, :width]
        self.network.train()
        return restored.clamp(0.0, 1.0)

    def _restored(self, measurements):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            restored = self.network(measurements)
        return restored.float()
