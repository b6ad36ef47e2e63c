"""The frozen networks whose features Eqs. 8, 11 and 12 compare, in PyTorch.

`inversenet_tf.models.perceptual.feature_networks` describes them. Frozen weights have the precision
of the arithmetic from the start, as autocast would cast them again at every use.
"""

import torch
from torch import nn
from torch.nn import functional

CAFFE_MEAN = (104.00698793, 116.66876762, 122.67891434)  # BGR, of the BVLC networks
KERAS_MEAN = (103.939, 116.779, 123.68)


class LocalResponseNorm(nn.Module):
    """AlexNet's, across five channels, in float32.

    The sum over neighbouring channels is a convolution: in `channels_last`, that takes 0.4 of the
    time of `nn.LocalResponseNorm`, forwards and backwards.
    """

    def __init__(self, channels, alpha=1e-4, beta=0.75, neighbours=5):
        super().__init__()
        places = torch.arange(channels)
        near = (places[:, None] - places).abs() <= neighbours // 2
        kernel = near.float()[:, :, None, None] * (alpha / neighbours)
        self.register_buffer("kernel", kernel, persistent=False)
        self.register_buffer("ones", torch.ones(channels), persistent=False)
        self.beta = beta

    def forward(self, features):
        x = features.float()
        scale = functional.conv2d(x * x, self.kernel, self.ones)
        return (x * scale.pow(-self.beta)).to(features.dtype)


class AlexNet(nn.Module):
    """BVLC's up to FC6: [b, 3, 227, 227] -> [b, 4096]."""

    size = 227
    mean = CAFFE_MEAN

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict(
            {
                "conv1": nn.Conv2d(3, 96, 11, stride=4),
                "conv2": nn.Conv2d(96, 256, 5, padding=2, groups=2),
                "conv3": nn.Conv2d(256, 384, 3, padding=1),
                "conv4": nn.Conv2d(384, 384, 3, padding=1, groups=2),
                "conv5": nn.Conv2d(384, 256, 3, padding=1, groups=2),
                "fc6": nn.Linear(256 * 6 * 6, 4096),
            }
        )
        self.norm1, self.norm2 = LocalResponseNorm(96), LocalResponseNorm(256)

    def forward(self, images):
        x = self.norm1(self._convolved(images, "conv1"))
        x = self.norm2(self._convolved(functional.max_pool2d(x, 3, 2), "conv2"))
        x = self._convolved(functional.max_pool2d(x, 3, 2), "conv3")
        x = self._convolved(self._convolved(x, "conv4"), "conv5")
        x = _flattened(functional.max_pool2d(x, 3, 2))
        return functional.relu(self.layers["fc6"](x)).float()

    def _convolved(self, x, name):
        return functional.relu(self.layers[name](x))


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 up to fire9: [b, 3, size, size] -> [b, 512 per pixel]."""

    mean = KERAS_MEAN
    fires = (
        (2, 64, 16, 64),
        (3, 128, 16, 64),
        (4, 128, 32, 128),
        (5, 256, 32, 128),
        (6, 256, 48, 192),
        (7, 384, 48, 192),
        (8, 384, 64, 256),
        (9, 512, 64, 256),
    )

    def __init__(self, size=224):
        super().__init__()
        self.size = size
        layers = {"conv1": nn.Conv2d(3, 64, 3, stride=2)}
        for level, inputs, squeezed, expanded in self.fires:
            layers[f"fire{level}_squeeze1x1"] = nn.Conv2d(inputs, squeezed, 1)
            layers[f"fire{level}_expand1x1"] = nn.Conv2d(squeezed, expanded, 1)
            layers[f"fire{level}_expand3x3"] = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.layers = nn.ModuleDict(layers)

    def forward(self, images):
        x = functional.relu(self.layers["conv1"](images))
        for level, *_ in self.fires:
            if level in (2, 4, 6):
                x = functional.max_pool2d(x, 3, 2)
            x = functional.relu(self.layers[f"fire{level}_squeeze1x1"](x))
            sides = [self.layers[f"fire{level}_expand{side}x{side}"](x) for side in (1, 3)]
            x = functional.relu(torch.cat(sides, 1))
        return _flattened(x).float()


def _flattened(x):
    """Flattens with channels last, as ours; no copy where the memory is `channels_last`, too."""
    return x.permute(0, 2, 3, 1).flatten(1)


class Comparator(nn.Module):
    """RGB images in [0, 1], [b, 3, h, w] float32 -> features [b, n] float32; frozen.

    Args:
        network: one of the above.
        dtype: of its weights and arithmetic.
    """

    def __init__(self, network, dtype=torch.float32):
        super().__init__()
        network.layers.to(dtype=dtype, memory_format=torch.channels_last)
        self.network = network.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(network.mean)[:, None, None], persistent=False)
        self.dtype = dtype

    def forward(self, images):
        size = (self.network.size, self.network.size)
        if images.shape[2:] != size:
            images = functional.interpolate(images, size, mode="bilinear")
        signed = images.flip(1) * 255.0 - self.mean
        return self.network(signed.to(self.dtype))


COMPARATORS = {"alexnet": AlexNet, "squeezenet": SqueezeNet}
