"""The networks of Tables 3 and 4 and the discriminator in PyTorch.

Layers with weights are in `layers`, under their names in `inversenet_tf`, whose classes of the same
names explain the arguments. Outputs are float32, also under autocast.
"""

import torch
from torch import nn
from torch.nn import functional

from pytorch_baselines.layers import batch_norm, convolution, pixel_shuffle, pixel_unshuffle

WIDTHS = (16, 32, 64, 128, 128, 128, 128, 128)  # of e1 to e8
SLOPE = 0.2


class UNet(nn.Module):
    """Table 3: signed measurements -> signed first estimate z."""

    def __init__(self, depth=8, channels=3, global_skip=False, measurement_channels=None):
        super().__init__()
        self.depth = depth
        self.global_skip = global_skip
        widths = WIDTHS[:depth]
        layers = {"e1": convolution(measurement_channels or channels, widths[0], 2)}
        for level, (before, width) in enumerate(zip(widths, widths[1:], strict=False), start=2):
            layers[f"e{level}_conv"] = convolution(before, width, 2)
            layers[f"e{level}"] = batch_norm(width)
        before = widths[-1]
        for level, width in enumerate(reversed(widths[:-1]), start=1):
            layers[f"d{level}_conv"] = convolution(before, width, 2, transposed=True)
            layers[f"d{level}_norm"] = batch_norm(width)
            before = 2 * width
        layers[f"d{depth}_conv"] = last = convolution(before, channels, 2, transposed=True)
        self.layers = nn.ModuleDict(layers)
        if global_skip:
            nn.init.zeros_(last.weight)

    def forward(self, measurements):
        """[b, c, h, w] -> the same shape; sides are a multiple of 2 ** depth."""
        layers = self.layers
        encoded = [layers["e1"](measurements)]
        for level in range(2, self.depth + 1):
            x = functional.leaky_relu(encoded[-1], SLOPE)
            encoded.append(layers[f"e{level}"](layers[f"e{level}_conv"](x)))
        x = encoded.pop()
        for level in range(1, self.depth):
            x = layers[f"d{level}_conv"](functional.relu(x))
            x = torch.cat([layers[f"d{level}_norm"](x), encoded.pop()], 1)
        x = layers[f"d{self.depth}_conv"](functional.relu(x))
        outputs = torch.tanh(x.float())
        return measurements + outputs if self.global_skip else outputs


class DAE(nn.Module):
    """Table 4: z (and y) -> the restored image, signed."""

    def __init__(
        self,
        factor=4,
        channels=3,
        condition="none",
        global_skip=False,
        paper_literal=False,
        measurement_channels=None,
    ):
        super().__init__()
        self.factor = factor
        self.condition = condition
        self.global_skip = global_skip
        self.paper_literal = paper_literal
        inner = factor * factor * channels
        measured = measurement_channels or channels
        joined = {"none": 0, "inner": measured, "shuffled": factor * factor * measured}[condition]
        before = (inner, 128, 64, 32 + joined, 64, 128)
        after = (128, 64, 32, 64, 128, inner)
        layers = {}
        for index, (inputs, outputs) in enumerate(zip(before, after, strict=True), start=1):
            layers[f"conv{index}"] = convolution(inputs, outputs)
            if index < len(after) or paper_literal:
                layers[f"norm{index}"] = batch_norm(outputs)
        self.layers = nn.ModuleDict(layers)
        if global_skip:
            nn.init.zeros_(layers[f"conv{len(after)}"].weight)

    def forward(self, inverted, measurements=None):
        """[b, c, h, w] -> the same shape; sides are a multiple of `factor`."""
        x = pixel_unshuffle(inverted, self.factor)
        for index in (1, 2, 3):
            x = self._conv_norm_relu(x, index)
        if self.condition != "none":
            y = measurements
            if self.condition == "shuffled":
                y = pixel_unshuffle(y, self.factor)
            x = torch.cat([x, y.to(x.dtype)], 1)
        for index in (4, 5):
            x = self._conv_norm_relu(x, index)
        x = self._conv_norm_relu(x, 6) if self.paper_literal else self.layers["conv6"](x)
        x = pixel_shuffle(x, self.factor).float()
        outputs = x if self.paper_literal else torch.tanh(x)
        return inverted + outputs if self.global_skip else outputs

    def _conv_norm_relu(self, x, index):
        x = self.layers[f"norm{index}"](self.layers[f"conv{index}"](x))
        return functional.relu(x)


class Discriminator(nn.Module):
    """DCGAN's: signed images -> one logit per image."""

    def __init__(self, channels=3, width=64):
        super().__init__()
        widths = [width * 2**index for index in range(4)]
        layers = {"conv1": convolution(channels, width, 2)}
        for index, (before, after) in enumerate(zip(widths, widths[1:], strict=False), start=2):
            layers[f"conv{index}"] = convolution(before, after, 2)
            layers[f"norm{index}"] = batch_norm(after)
        layers["logits"] = convolution(widths[-1], 1)
        self.layers = nn.ModuleDict(layers)

    def forward(self, images):
        """[b, c, h, w] -> [b]; sides are a multiple of 16."""
        x = functional.leaky_relu(self.layers["conv1"](images), SLOPE)
        for index in (2, 3, 4):
            x = self.layers[f"norm{index}"](self.layers[f"conv{index}"](x))
            x = functional.leaky_relu(x, SLOPE)
        return self.layers["logits"](x).float().mean((1, 2, 3))
