"""deepinv's blind Richardson-Lucy deconvolution, of photographs whose blur nobody knows.

Image and kernel are improved in turns, from the measurement and from a uniform kernel; without a
prior, the number of turns is what keeps noise and rings away.
"""

import numpy as np
import torch

from pytorch_baselines.loaded_deepinv import deepinv

KERNEL_SIDE = 9  # pixels, of the largest kernel that is sought: chosen as the iterations were
ITERATIONS = 2  # on photographs for training, see docs/unknown_blur.md: more of them were worse


def blind_richardson_lucy(
    measurement: np.ndarray, side: int = KERNEL_SIDE, iterations: int = ITERATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """The image and the kernel that one circular measurement tells.

    Args:
        measurement: [height, width, channels] in [0, 1].
        side: odd, of the kernel.
        iterations: of image and kernel by turns.

    Returns:
        (image of the measurement's shape in [0, 1], kernel [side, side] of sum 1).
    """
    batch = torch.from_numpy(np.ascontiguousarray(measurement, np.float32))
    search = deepinv.optim.BlindRL(kernel_size=side, max_iter=iterations, use_fft=True)
    with torch.no_grad():
        image, kernel = search(batch.permute(2, 0, 1)[None])
    image = image[0].permute(1, 2, 0).clamp(0, 1).numpy()
    return image, kernel[0, 0].numpy()
