"""Motion deblurring as the paper has it: Section 4.1, Tables 3 and 4, Appendix A.1.

python tools/train.py --config=configs/inversenet/motion_deblur.py --workdir=runs/celeba
"""

from inversenet_tf.config import Config


def get_config():
    """The paper's constants are the defaults of `Config`; here is what they leave open."""
    config = Config()
    config.data.train = "tfds:celeb_a"  # or folder:DIR
    config.data.validation = "tfds:celeb_a"
    config.data.crop_size = 128  # of 178 x 218: the face, scaled down to 64 x 64
    config.operator.kernel_angle = 45.0  # Paper: Fig. 11, a picture; here: a diagonal of 9 pixels
    config.training.steps = 1500
    return config
