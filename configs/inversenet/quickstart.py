"""Motion deblurring in minutes: the paper's method (Section 4.1) with a recipe for two cores.

  python tools/train.py --config=configs/inversenet/quickstart.py --workdir=runs/demo

On two CPU cores with AVX512-BF16: 2,500 steps in 4 min 50 s. The two held-out photographs, whole,
go from 26.36 dB and SSIM 0.769 (blurred) to 31.81 dB and 0.888 (restored; inverted 31.78 dB).

On CelebA faces (9,000 for training, 500 others for evaluation, 64 x 64), 5,000 steps in 11 min:
from 20.27 dB and 0.598 to 29.59 dB and 0.910 (inverted 29.37 dB and 0.908), with

  --config.data.train=folder:TRAIN --config.data.validation=folder:VAL --config.data.crop=center
  --config.data.evaluation_crop=center --config.data.min_scale=1.0 --config.data.augmentation=none
  --config.training.steps=5000
"""

from inversenet_tf import recipes


def get_config():
    """See there, where every departure from the paper is named."""
    return recipes.quickstart()
