"""Motion deblurring as the paper has it: Section 4.1, Tables 3 and 4, Appendix A.1.

  python tools/train.py --config=configs/inversenet/motion_deblur.py --workdir=runs/celeba
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders

1,500 steps on two CPU cores (21 min, beside other work), CelebA faces halved to 89 x 109 (so with
--config.data.crop_size=64), 9,000 for training; 500 others go from 20.27 dB and SSIM 0.598
(blurred) to 24.95 dB and 0.783 (inverted) and 24.11 dB and 0.752 (restored). The paper trained for
longer, and reports 34.02 dB and 0.9738 on other faces with another kernel (Table 1). On the first
100 of the 500:

  step             100    300    500    700    900   1100   1300   1500
  inverted (dB)  17.27  22.16  23.22  23.64  24.29  24.54  24.77  25.01
  restored (dB)  19.52  21.00  22.29  23.06  23.16  23.61  24.11  24.17
"""

from inversenet_tf.config import Config


def get_config():
    """The paper's constants are the defaults of `Config`; here is what they leave open."""
    config = Config()
    config.data.train = "tfds:celeb_a"
    config.data.validation = "tfds:celeb_a"
    config.data.crop_size = 128  # of 178 x 218: the face, scaled down to 64 x 64
    config.operator.kernel_angle = 45.0  # Paper: Fig. 11, a picture; here: a diagonal of 9 pixels
    config.training.steps = 1500  # Paper: not given
    return config
