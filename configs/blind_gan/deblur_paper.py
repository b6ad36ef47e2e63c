"""Blind deblurring with the paper's own constants (Section 3.1); slow, and kept for comparison.

inversenet invert --config=deblur_paper --workdir=runs/deblur_paper
"""

from blind_gan_tf.config import InversionConfig


def get_config():
    """The constants are the defaults of `InversionConfig`; only the operator is set."""
    config = InversionConfig(prior="runs/prior_celeba")
    config.problem.operator.kernel = "gaussian"
    config.problem.operator.kernel_size = 20
    config.problem.operator.kernel_sigma = 5.0
    return config
