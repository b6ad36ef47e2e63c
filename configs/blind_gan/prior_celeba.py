"""DCGAN on faces, the prior of `deblur.py` and `edges.py` (Section 3.1; Radford et al. 2016).

  inversenet train --config=prior_celeba --workdir=runs/prior_celeba
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

Measured: 5,250 steps (stopped there) on two CPU cores with AVX512-BF16, at three steps a second
when nothing else runs (30 minutes; here 80, beside other work), on 9,000 CelebA faces halved to
89 x 109, so with --config.data.crop_size=64: good faces from step 3,000 on.
"""

from blind_gan_tf.config import PriorConfig
from inversenet_tf.imaging.processor import fast_precision


def get_config():
    """DCGAN's constants are the defaults of `PriorConfig`; only what departs from them is set."""
    config = PriorConfig()
    config.data.train = "tfds:celeb_a"
    config.data.validation = "tfds:celeb_a"
    config.data.crop_size = 128  # of 178 x 218: the face, scaled down to 64 x 64
    config.data.augmentation = "flip"  # Paper: none
    config.training.average = 0.999  # Paper: none; here: steadier samples
    config.training.real_label = 0.9  # Paper: 1; here: less trust in few real images
    config.training.batch_size = 64  # Paper: 128
    config.training.precision = fast_precision()
    return config
