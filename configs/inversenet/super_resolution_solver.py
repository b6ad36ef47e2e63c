"""x4 super-resolution against ringing: residual blocks correct the closed form of Eq. 3.

  inversenet train --config=super_resolution_solver --workdir=runs/sr_solver
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Section 4.2 with the flat 7 x 7 kernel, on patches of 128 pixels; the closed form knows the aliases,
the blocks work on the measurement's grid. `docs/results.md` tells what it reached on more images,
in more steps, beside SRGAN and the networks that see the bicubic image. On the five photographs of
the package, 800 steps, seed 0: the two held-out ones, whole, from 26.37 dB (bicubic) over 27.89 dB
(the linear optimum) to 28.73 dB.
"""

from inversenet_tf import recipes


def get_config():
    """The recipe; nothing to change."""
    return recipes.super_resolution_solver()
