"""Motion deblurring as the paper has it: Section 4.1, Tables 1, 3 and 4, Appendix A.1.

  inversenet train --config=motion_deblur:celeba --workdir=runs/celeba
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders
  ... --config.loss.comparator=alexnet --config.loss.comparator_weights=bvlc_alexnet.h5

After the colon: celeba (default), cub, voc or imagenet, from tensorflow-datasets; folders of the
same images are cropped in the same way.

With a DAE of r = 4, as this config had before: 1,500 steps on two CPU cores (21 min, beside other
work), without comparator, CelebA faces halved to 89 x 109, 9,000 for training; 500 others go from
20.27 dB and SSIM 0.598 (blurred) to 24.95 dB and 0.783 (inverted) and 24.11 dB and 0.752
(restored). The paper trained for longer, and reports 34.02 dB and 0.9738 on other faces with
another kernel (Table 1). On the first 100 of the 500:

  step             100    300    500    700    900   1100   1300   1500
  inverted (dB)  17.27  22.16  23.22  23.64  24.29  24.54  24.77  25.01
  restored (dB)  19.52  21.00  22.29  23.06  23.16  23.61  24.11  24.17
"""

from inversenet_tf import recipes
from inversenet_tf.paper.image_sets import image_set


def get_config(data="celeba"):
    """The paper's constants are the defaults of `Config`; the recipe says what they leave open."""
    config = recipes.motion_deblur()
    image_set(data).apply(config)
    config.training.steps = 1500  # Paper: not given
    return config
