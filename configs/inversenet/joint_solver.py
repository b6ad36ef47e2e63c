"""Joint x2 super-resolution and colorization: a U-Net corrects the closed form of Eq. 3.

  inversenet train --config=joint_solver:celeba --workdir=runs/joint_solver
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Section 4.3. The closed form guesses the colours from their covariance over the training images; the
U-Net, as deep as the paper's, corrects them. `docs/results.md` tells what it reached.
"""

from inversenet_tf import recipes
from inversenet_tf.paper.image_sets import image_set


def get_config(data="celeba"):
    """Faces and birds alike at 64 pixels, as `joint_small.py` has them."""
    config = recipes.joint_solver()
    image_set(data).apply(config)
    return config
