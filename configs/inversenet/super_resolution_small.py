"""x4 super-resolution in minutes: Section 4.2 with a recipe for two cores, patches of 64 pixels.

  inversenet train --config=super_resolution_small --workdir=runs/sr
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Learns 16 x 16 to 64 x 64 from the embedded photographs, and upsamples images of any size.
"""

from inversenet_tf import recipes


def get_config():
    """super_resolution.py on small patches of the embedded photographs, for two cores."""
    config = recipes.super_resolution(kernel_size=7)
    config.data.size = 64  # Paper: 256
    recipes.on_embedded_photographs(config)
    recipes.for_two_cores(config)
    return config
