"""Restoration by InverseNet in PyTorch, and the ways to deploy it on a CPU."""

import itertools

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

WAYS = ("eager", "folded", "frozen script", "compiled")


class InverseNet(nn.Module):
    """Measurements -> restored images, both [b, c, h, w] in [0, 1], of any size.

    Args:
        inverter, denoiser: of `pytorch_baselines.networks`.
        autocast: whether it computes in bfloat16.
    """

    def __init__(self, inverter, denoiser, autocast=False):
        super().__init__()
        self.inverter = inverter
        self.denoiser = denoiser
        self.autocast = autocast
        self.multiple = max(2**inverter.depth, denoiser.factor)

    def forward(self, measurements):
        height, width = measurements.shape[2:]
        rows, columns = -height % self.multiple, -width % self.multiple
        top, left = rows // 2, columns // 2
        signed = measurements * 2.0 - 1.0
        if rows or columns:
            signed = functional.pad(
                signed, (left, columns - left, top, rows - top), mode="circular"
            )
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            restored = self.denoiser(self.inverter(signed), signed)
        restored = restored[:, :, top : top + height, left : left + width]
        return ((restored + 1.0) / 2.0).clamp(0.0, 1.0)


def fold_batch_norms(network):
    """Folds each batch norm of one of our networks into the convolution before it, in place."""
    layers = network.layers
    for before, after in itertools.pairwise(list(layers)):
        if isinstance(layers[after], nn.BatchNorm2d):
            convolution = layers[before]
            transposed = isinstance(convolution, nn.ConvTranspose2d)
            layers[before] = fuse_conv_bn_eval(convolution, layers[after], transposed)
            layers[after] = nn.Identity()


def deployed(model, way, example):
    """Returns a function that restores measurements, [b, c, h, w] in `channels_last`.

    Args:
        model: an `InverseNet`, which is changed.
        way: one of `WAYS`: the modules as they are; with folded batch norms; that as a script,
            frozen and with oneDNN's fused operations; or that by TorchInductor, weights frozen.
        example: measurements of the size to restore.

    Raises:
        ValueError: an unknown way.
    """
    if way not in WAYS:
        raise ValueError(f"Expected way in {WAYS}. Received: {way!r}")
    model = model.eval().requires_grad_(False)
    if way != "eager":
        for network in (model.inverter, model.denoiser):
            fold_batch_norms(network)
            if model.autocast:  # it casts other weights at every use
                network.to(torch.bfloat16)
    model = model.to(memory_format=torch.channels_last)
    if way == "frozen script":
        with torch.inference_mode():
            traced = torch.jit.freeze(torch.jit.trace(model, example))
            model = torch.jit.optimize_for_inference(traced)
    elif way == "compiled":
        from torch._inductor import config

        config.freezing = True
        model = torch.compile(model)

    def restore(measurements):
        with torch.no_grad() if way == "compiled" else torch.inference_mode():
            return model(measurements)

    return restore
