"""x4 super-resolution of photographs that were scaled down by a bicubic filter.

  inversenet train --config=x4_photos --workdir=runs/x4 \\
      --config.data.train=folder:photos --config.data.validation=folder:held_out

The preset "x4_photos" was trained this way; `docs/presets.md` says on which photographs, for how
long, and how well it restores.
"""

from inversenet_tf import recipes


def get_config():
    """Returns the recipe unchanged."""
    return recipes.x4_photos()
