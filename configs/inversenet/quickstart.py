"""Motion deblurring in minutes: the paper's method (Section 4.1) with a recipe for two cores.

  inversenet train --config=quickstart --workdir=runs/demo

On two CPU cores with AVX512-BF16: 4,000 steps in about 3.5 min. The two held-out photographs,
whole, go from 26.36 dB (blurred) past 30.4 dB in half a minute, to 32.26 dB (restored; inverted
the same).

On CelebA faces (9,000 for training, 500 others for evaluation, 64 x 64), 5,000 steps in 11 min,
from 20.27 dB and 0.598 to 29.59 dB and 0.910 (inverted 29.37 dB and 0.908); measured at rate 1e-3,
six levels, the discriminator from the first step and without averaged weights, with

  --config.data.train=folder:TRAIN --config.data.validation=folder:VAL --config.data.crop=center
  --config.data.margin=0
  --config.data.evaluation_crop=center --config.data.min_scale=1.0 --config.data.augmentation=none
  --config.training.steps=5000
"""

from inversenet_tf import recipes


def get_config():
    """See there, where every departure from the paper is named."""
    return recipes.quickstart()
