"""Motion deblurring as the paper has it."""

from inversenet_tf.config import Config


def get_config():
    """The paper's constants (Appendix A.1) on CelebA."""
    config = Config()
    return config
