"""Edge maps with the paper's own constants (Section 3.1); slow, and kept for comparison.

inversenet invert --config=edges_paper --workdir=runs/edges_paper
... --config.surrogate.name=relu_convolution   # the surrogate that the paper found slower
"""

from blind_gan_tf.config import InversionConfig


def get_config():
    """The constants are the defaults of `InversionConfig`; only the operator is set."""
    config = InversionConfig(prior="runs/prior_celeba")
    config.problem.operator.kernel = "sobel"
    config.problem.signed = True
    config.problem.noise.quantize = False
    return config
