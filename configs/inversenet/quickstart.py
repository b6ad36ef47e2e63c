"""Motion deblurring in minutes: Section 4.1 with a recipe for two cores.

  inversenet train --config=quickstart --workdir=runs/demo

The U-Net corrects the closed form of Eq. 3 (`network.inverter = "solver_unet"`), in units of its
expected error. On two CPU cores with AVX512-BF16, 800 steps in 1.4 min: the two
held-out photographs, whole, go from 26.36 dB (blurred) over 35.53 dB (the linear optimum, before
any training) to 36.91 dB; seed 0, SSIM 0.945. In float32 on cores with AVX2 alone, beside other
work, 36.93 dB in 5.0 min.
"""

from inversenet_tf import recipes


def get_config():
    """Returns the recipe, whose comments name every departure from the paper."""
    return recipes.quickstart()
