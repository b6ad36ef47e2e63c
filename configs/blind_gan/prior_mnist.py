"""A six-layer GAN on MNIST, the prior of `separate_*.py` (Section 3.2).

  inversenet train --config=prior_mnist --workdir=runs/prior_mnist
  ... --config.data.train=idx:DIR --config.data.validation=idx:DIR  # from MNIST's own files

10,500 steps on two CPU cores, at twelve steps a second when nothing else runs (15 minutes). A LeNet
of 98.6 % accuracy reads 90.2 % of 4,000 samples with a probability of at least 0.9 (96 % of real
test digits), all ten digits between 7 and 10 % each; 78.5 % after 1,500 steps.
"""

from blind_gan_tf.config import PriorConfig
from inversenet_tf.imaging.processor import fast_precision


def get_config():
    """The paper gives the number of layers; the rest is DCGAN's."""
    config = PriorConfig()
    config.data.train = "tfds:mnist"
    config.data.validation = "tfds:mnist"
    config.data.channels = 1
    config.data.size = 32
    config.data.padding = 2  # 28 x 28 -> 32 x 32
    config.network.name = "digits"
    config.network.generator_width = 32
    config.network.discriminator_width = 32
    config.training.average = 0.999
    config.training.batch_size = 64
    config.training.steps = 10_500
    config.training.precision = fast_precision()
    return config
