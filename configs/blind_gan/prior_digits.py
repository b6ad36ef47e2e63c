"""A six-layer GAN in three minutes, on the handwritten digits that scikit-learn ships.

  inversenet train --config=prior_digits --workdir=runs/prior_digits

2,000 steps on two CPU cores in 3 min 13 s, beside other work. The preset "digits" was trained this
way, in float32; `make demo-blind` separates mixtures with it.
"""

from blind_gan_tf.config import PriorConfig
from inversenet_tf.imaging.processor import fast_precision


def get_config():
    """Departs from `prior_mnist.py`, as images are few and time is short."""
    config = PriorConfig()
    config.data.train = config.data.validation = "digits"
    config.data.channels = 1
    config.data.size = 32
    # 1,438 images are few: each is shown shifted by up to two pixels either way.
    config.data.padding = 2
    config.data.crop = "random"
    config.network.name = "digits"
    config.network.generator_width = 24
    config.network.discriminator_width = 24
    config.training.learning_rate = 5e-4
    config.training.average = 0.99
    config.training.real_label = 0.9
    config.training.batch_size = 64
    config.training.steps = 2000
    config.training.precision = fast_precision()
    return config
