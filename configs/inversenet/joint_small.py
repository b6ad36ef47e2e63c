"""Joint x2 super-resolution and colorization in minutes: Section 4.3 with a recipe for two cores.

  inversenet train --config=joint_small --workdir=runs/joint_small
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

From CelebA at 64 pixels, or from the user's own images of one kind: colours of anything cannot be
guessed from a few photographs.
"""

from inversenet_tf import recipes
from inversenet_tf.paper.image_sets import image_set


def get_config(data="celeba"):
    """Departs from joint.py as the recipe for two cores says."""
    config = recipes.joint(64)
    image_set(data).apply(config)
    recipes.for_two_cores(config)
    return config
