from blind_gan_tf.config import PriorConfig


def get_config():
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
    config.training.precision = "mixed_bfloat16"
    return config
