"""One network for every blur, told the kernel and the noise of each measurement.

  inversenet train --config=any_blur --workdir=runs/any_blur

Training draws camera shakes, lines, Gaussians, disks and no blur, of up to 27 pixels, and noise of
up to 0.03. On two CPU cores with AVX512-BF16, 4,000 steps in 4.6 min: the two held-out
photographs, with two of the ten held-out kernels, go from 26.83 dB (blurred) over 31.81 dB (the
linear optimum) to 32.05 dB at step 2,000, the best by these two, and 32.02 dB at the last; seed 0.
The noisy one gains 0.9 dB over the linear optimum, the other loses 0.4 dB: five photographs are
little to learn from. On 9,000 faces it is 2.6 dB above it at a noise of 0.01, see
`docs/any_blur.md`.
"""

from inversenet_tf import recipes


def get_config():
    """The recipe; nothing to change."""
    return recipes.any_blur()
