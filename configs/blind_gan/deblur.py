from blind_gan_tf.config import InversionConfig


def get_config():
    config = InversionConfig(prior="runs/prior_celeba")
    config.problem.operator.kernel = "gaussian"
    config.problem.operator.kernel_size = 20
    config.problem.operator.kernel_sigma = 5.0
    config.surrogate.kernel_size = 11
    config.surrogate.initial_scale = 0.1
    config.search.surrogate_rate = 1e-3
    config.search.latent_rate = 3e-2
    config.search.schedule = "cosine"
    config.search.rounds = 14
    config.search.random_starts = 1
    config.search.identity_starts = 1
    config.search.identity_rounds = 1
    config.search.trial_rounds = 5
    config.search.finalists = 2
    config.search.library = 100
    config.precision = "mixed_bfloat16"
    return config
