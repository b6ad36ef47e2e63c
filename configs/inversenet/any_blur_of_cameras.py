"""One network for every blur of photographs, of which nothing is known beyond the frame.

  inversenet train --config=any_blur_of_cameras --workdir=runs/any_blur \\
      --config.data.train=folder:photos --config.data.validation=folder:held_out

The preset "any_blur" was trained so; `docs/presets.md` tells on which photographs, for how long,
and how well it restores.
"""

from inversenet_tf import recipes


def get_config():
    """The recipe; nothing to change."""
    return recipes.any_blur_of_cameras()
