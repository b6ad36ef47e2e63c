"""One mixture of three digits with the paper's own constants (Section 3.2, Fig. 2a); slow.

inversenet invert --config=separate_under_paper --workdir=runs/separate_under_paper
"""

from blind_gan_tf.recipes import mixed_digits


def get_config():
    """The constants are the defaults of `InversionConfig`; only the problem is set."""
    return mixed_digits(mixtures=1)
