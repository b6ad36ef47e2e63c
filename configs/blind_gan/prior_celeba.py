from blind_gan_tf.config import PriorConfig


def get_config():
    config = PriorConfig()
    config.data.train = "tfds:celeb_a"
    config.data.validation = "tfds:celeb_a"
    config.data.crop_size = 128  # of 178 x 218: the face, scaled down to 64 x 64
    config.data.augmentation = "flip"
    config.training.average = 0.999
    config.training.batch_size = 64
    config.training.precision = "mixed_bfloat16"
    return config
