"""x4 super-resolution against ringing: a U-Net corrects the closed form of Eq. 3, aliases included.

  inversenet train --config=super_resolution_solver --workdir=runs/sr_solver
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Section 4.2 with the flat 7 x 7 kernel, on patches of 96 pixels. `docs/results.md` tells what it
reached, on patches of 64 pixels, beside SRGAN and the networks that see the bicubic image.
"""

from inversenet_tf import recipes


def get_config():
    """The recipe; nothing to change."""
    return recipes.super_resolution_solver()
