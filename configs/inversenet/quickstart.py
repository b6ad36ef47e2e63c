"""Motion deblurring in minutes."""

from inversenet_tf.config import Config


def get_config():
    config = Config()
    config.data.crop = "random"
    config.data.min_scale = 0.4
    config.data.augmentation = "dihedral"
    config.data.evaluation_crop = "whole"
    config.network.global_skip = True
    config.network.dae_condition = "shuffled"
    config.network.discriminator_width = 32
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "cosine"
    config.training.precision = "mixed_bfloat16"
    config.training.batch_size = 16
    config.training.steps = 2500
    config.training.steps_per_epoch = 250
    return config
