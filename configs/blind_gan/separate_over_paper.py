"""Four mixtures of three digits with the paper's own constants (Section 3.2, Fig. 2b); slow.

inversenet invert --config=separate_over_paper --workdir=runs/separate_over_paper
"""

from blind_gan_tf.recipes import mixed_digits


def get_config():
    """The constants are the defaults of `InversionConfig`; only the problem is set."""
    return mixed_digits(mixtures=4)
