from blind_gan_tf.config import InversionConfig


def get_config():
    config = InversionConfig()
    config.problem.task = "separation"
    config.problem.number = 50
    config.problem.sources = 3
    config.problem.mixing.mixtures = 1
    config.problem.noise.eight_bit = False
    config.problem.signed = True
    config.surrogate.name = "mixing"
    config.search.rounds = 32
    config.search.latent_rate = 3e-2
    config.search.perceptual_weight = 0.0
    config.search.random_starts = 6
    config.search.trial_rounds = 6
    config.search.candidates = 2
    config.search.renew_every = 8
    return config
