"""deepinv's blind Richardson-Lucy deconvolution, for photographs with an unknown kernel.

Image and kernel are improved in turns, starting from the measurement and a uniform kernel; without
a prior, only a small number of turns keeps noise and ringing away.
"""

import numpy as np
import torch

from pytorch_baselines.loaded_deepinv import deepinv

KERNEL_SIDE = 9  # pixels, of the largest kernel that can be found: chosen like the iterations
ITERATIONS = 2  # on training photographs, see docs/unknown_blur.md: more were worse


def blind_richardson_lucy(
    measurement: np.ndarray, side: int = KERNEL_SIDE, iterations: int = ITERATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates the image and the kernel behind one measurement with circular blur.

    Args:
        measurement: [height, width, channels] in [0, 1].
        side: of the kernel, odd.
        iterations: of image and kernel in turns.

    Returns:
        (image of the measurement's shape in [0, 1], kernel [side, side] of sum 1).
    """
    batch = torch.from_numpy(np.ascontiguousarray(measurement, np.float32))
    search = deepinv.optim.BlindRL(kernel_size=side, max_iter=iterations, use_fft=True)
    with torch.no_grad():
        image, kernel = search(batch.permute(2, 0, 1)[None])
    image = image[0].permute(1, 2, 0).clamp(0, 1).numpy()
    return image, kernel[0, 0].numpy()
