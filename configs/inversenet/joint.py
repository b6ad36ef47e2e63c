"""Joint x2 super-resolution and colorization as the paper has it: Section 4.3, Fig. 7, D.3.

  inversenet train --config=joint:celeba --workdir=runs/joint_celeba
  inversenet train --config=joint:cub --workdir=runs/joint_cub
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders
  ... --config.loss.comparator=alexnet --config.loss.comparator_weights=bvlc_alexnet.h5

From one gray band of 32 x 32 to colours of 64 x 64 (celeba), or of 64 x 64 to 128 x 128 (cub).
"""

from inversenet_tf import recipes
from inversenet_tf.paper.image_sets import image_set

SIZES = {"celeba": 64, "cub": 128}  # Section 4.3; 64 for others


def get_config(data="celeba"):
    """Three kernels of 9 x 9, stride 2, with what the paper leaves open as the recipe says."""
    config = recipes.joint(SIZES.get(data, 64))
    image_set(data).apply(config)
    return config
