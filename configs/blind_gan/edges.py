from blind_gan_tf.config import InversionConfig


def get_config():
    config = InversionConfig()
    config.problem.operator.kernel = "sobel"
    config.problem.signed = True
    config.problem.noise.eight_bit = False
    config.search.rounds = 20
    config.search.latent_rate = 3e-2
    config.search.random_starts = 2
    config.search.identity_starts = 2
    config.precision = "mixed_bfloat16"
    return config
