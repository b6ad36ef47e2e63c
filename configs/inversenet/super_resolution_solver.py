"""x4 super-resolution against ringing: residual blocks correct the closed form of Eq. 3.

  inversenet train --config=super_resolution_solver --workdir=runs/sr_solver
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Section 4.2 with the flat 7 x 7 kernel, on patches of 128 pixels; the closed form knows the aliases,
the blocks work on the measurement's grid. `docs/results.md` tells what it reached on more images,
in more steps, beside SRGAN and the networks that see the bicubic image.
"""

from inversenet_tf import recipes


def get_config():
    """The recipe; nothing to change."""
    return recipes.super_resolution_solver()
