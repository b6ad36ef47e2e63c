"""x4 super-resolution against ringing as the paper has it: Section 4.2, Figs. 6 and 10, D.2.

  inversenet train --config=super_resolution:imagenet --workdir=runs/sr
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders
  ... --config.loss.comparator=alexnet --config.loss.comparator_weights=bvlc_alexnet.h5
  ... --config.operator.kernel=gaussian --config.operator.kernel_size=3  # the mild kernel, Fig. 12

64 x 64 to 256 x 256, U-Net of eight levels. After the colon: imagenet (default), cub or voc.
Not trained here at this size: on two CPU cores a step of 36 images takes many seconds; for them
there is super_resolution_small.py.
"""

from inversenet_tf import recipes
from inversenet_tf.paper.image_sets import image_set


def get_config(data="imagenet"):
    """The flat 7 x 7 kernel, with what the paper leaves open as the recipe says."""
    config = recipes.super_resolution(kernel_size=7)
    image_set(data).apply(config)
    return config
