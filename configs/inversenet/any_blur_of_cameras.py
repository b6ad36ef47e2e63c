"""One network for any blur of photographs, where nothing beyond the frame is known.

  inversenet train --config=any_blur_of_cameras --workdir=runs/any_blur \\
      --config.data.train=folder:photos --config.data.validation=folder:held_out

The preset "any_blur" was trained this way; `docs/presets.md` says on which photographs, for how
long, and how well it restores.
"""

from inversenet_tf import recipes


def get_config():
    """Returns the recipe unchanged."""
    return recipes.any_blur_of_cameras()
