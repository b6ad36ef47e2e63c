"""x4 super-resolution against ringing: residual blocks correct the closed form of Eq. 3.

  inversenet train --config=super_resolution_solver --workdir=runs/sr_solver
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Section 4.2 with the flat 7 x 7 kernel, on patches of 128 pixels; the closed form accounts for
aliasing, and the blocks work on the measurement's grid. `docs/results.md` compares it, trained on
more images for more steps, with SRGAN and with networks that see the bicubic image. On the five
photographs of the package, 800 steps, seed 0: the two held-out ones, whole, go from 26.37 dB
(bicubic) over 27.89 dB (the linear optimum) to 28.73 dB.
"""

from inversenet_tf import recipes


def get_config():
    """Returns the recipe unchanged."""
    return recipes.super_resolution_solver()
