"""From JPEG files to pairs of blurred and sharp patches, by PyTorch's DataLoader.

They are drawn as by `inversenet_tf.imaging.data.pairs.training_pairs`, but in another order and at
other places: Pillow decodes files, two workers crop, scale down, rotate and flip patches, which are
then blurred in batches.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

WORKERS = 2
KERNEL = np.eye(9, dtype=np.float32)[::-1] / 9  # a diagonal motion of 9 pixels
WHITE = 255.0


class Patches(torch.utils.data.Dataset):
    """Square patches: uint8 channels-first tensors of `size` pixels a side.

    Args:
        directory: of JPEG files.
        count: patches of an epoch.
        size: side of a patch in pixels.
        min_scale: random patches are scaled down by a factor in [min_scale, 1].
        crop_fraction: side of a central patch as a fraction of the short side; 0 for random
            patches, which are rotated and flipped, too.
    """

    def __init__(self, directory, count, size=64, min_scale=1.0, crop_fraction=0.0):
        self.paths = sorted(Path(directory).glob("*.jpg"))
        self.count = count
        self.size = size
        self.min_scale = min_scale
        self.crop_fraction = crop_fraction

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        with Image.open(self.paths[index % len(self.paths)]) as image:
            left, top, side = self._place(*image.size)
            patch = np.asarray(image.convert("RGB").crop((left, top, left + side, top + side)))
        patch = torch.from_numpy(patch.copy()).permute(2, 0, 1)
        if side != self.size:
            sides = (self.size, self.size)
            # PyTorch has a fast path for 8 bits; the result is rounded and clipped.
            patch = functional.interpolate(patch[None], sides, mode="bicubic", antialias=True)[0]
        if not self.crop_fraction:
            patch = torch.rot90(patch, int(torch.randint(4, ())), (1, 2))
            patch = patch.flip(2) if torch.randint(2, ()) else patch
        return patch.contiguous()

    def _place(self, width, height):
        if self.crop_fraction:
            side = round(self.crop_fraction * min(width, height))
            return (width - side) // 2, (height - side) // 2, side
        scale = self.min_scale ** float(torch.rand(()))
        side = min(round(self.size / scale), width, height)
        left, top = (int(torch.randint(1 + there - side, ())) for there in (width, height))
        return left, top, side


class PairUp:
    """A list of patches -> (measurements, images), float32 in [0, 1], in channels_last memory."""

    def __init__(self):
        kernel = torch.from_numpy(KERNEL[::-1, ::-1].copy())
        self.kernel = kernel.expand(3, 1, *KERNEL.shape).contiguous()

    def __call__(self, patches):
        images = torch.stack(patches).to(torch.float32, memory_format=torch.channels_last) / WHITE
        padded = functional.pad(images, [len(KERNEL) // 2] * 4, mode="circular")
        measurements = functional.conv2d(padded, self.kernel, groups=3)
        return (measurements.clamp_(0, 1) * WHITE).round_() / WHITE, images


def training_loader(directory, batches, batch_size, **drawing):
    """A DataLoader of `batches` shuffled batches; `drawing` holds options of `Patches`."""
    return torch.utils.data.DataLoader(
        Patches(directory, batches * batch_size, **drawing),
        batch_size,
        shuffle=True,
        num_workers=WORKERS,
        collate_fn=PairUp(),
        persistent_workers=True,
        prefetch_factor=4,
    )
