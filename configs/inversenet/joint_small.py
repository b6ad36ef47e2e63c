"""Joint x2 super-resolution and colorization in minutes: Section 4.3 with a recipe for two cores.

  inversenet train --config=joint_small --workdir=runs/joint_small
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Trains on CelebA at 64 pixels, or on your own images of one kind: from a few photographs of
anything, colours cannot be learned.
"""

from inversenet_tf import recipes
from inversenet_tf.paper.image_sets import image_set


def get_config(data="celeba"):
    """Returns the config of joint.py with the recipe for two cores."""
    config = recipes.joint(64)
    image_set(data).apply(config)
    recipes.for_two_cores(config)
    return config
