"""The settings that the configs for faces, and those for digits, have in common.

Where a search departs from `InversionConfig`, the paper's constants, a comment says so.
"""

from blind_gan_tf.config import InversionConfig
from inversenet_tf.imaging.processor import fast_precision


def restore_faces() -> InversionConfig:
    """Faces from blur, edge maps or another convolution; the config adds the operator."""
    config = InversionConfig(prior="runs/prior_celeba")
    # Paper: 5 and Glorot's own; here: a joint kernel of 21 pixels, which holds the blur, and small
    # initial weights.
    config.surrogate.kernel_size = 11
    config.surrogate.initial_scale = 0.1
    config.search.surrogate_learning_rate = 1e-3  # Paper: 4e-3, too much for kernels of this size
    config.search.latent_learning_rate = 3e-2  # Paper: 3e-4
    config.search.schedule = "cosine"
    config.search.rounds = 14  # Paper: 100, at constant rates
    # Beyond the paper: starts of two kinds, and a screening of them.
    config.search.random_starts = 1
    config.search.identity_starts = 1
    config.search.identity_rounds = 1
    config.search.screening_rounds = 5
    config.search.survivors = 2
    config.search.random_candidates = 100
    config.refinement.closeness = 1e-3  # best of 1e-2 to 1e-4 on 16 faces for training
    config.precision = fast_precision()
    return config


def find_one_kernel() -> InversionConfig:
    """The search of `restore_faces` for an operator known to be one blur of all channels."""
    config = restore_faces()
    config.surrogate.name = "shared_kernel"
    config.surrogate.kernel_size = 21
    config.search.surrogate_learning_rate = 1e-2  # of weights of mean square one
    return config


def mixed_digits(mixtures: int) -> InversionConfig:
    """Mixtures of three digits, and the search with the paper's own constants."""
    config = InversionConfig(prior="runs/prior_mnist")
    config.problem.task = "separation"
    # Five mixing matrices, since the scores depend on them, each for twenty sets of digits.
    config.problem.number = 100
    config.problem.group_size = 20
    config.problem.sources = 3
    config.problem.mixing.mixtures = mixtures
    # Mixtures have no upper bound, and so cannot be rounded to 8 bits.
    config.problem.signed = True
    config.problem.noise.quantize = False
    config.surrogate.name = "mixing"
    return config


def separate_digits(mixtures: int) -> InversionConfig:
    """Separates three digits from `mixtures` mixtures of them, in minutes."""
    config = mixed_digits(mixtures)
    config.search.latent_learning_rate = 3e-2  # Paper: 3e-4
    config.search.perceptual_weight = 0.0  # Paper: 1e-4; here: left out to save time
    # Beyond the paper, since gradients do not turn one digit into another: a screening of several
    # starts chooses a surrogate, and each mixture's second candidate is redrawn now and then.
    config.search.rounds = 32  # Paper: 100
    config.search.random_starts = 6
    config.search.screening_rounds = 6
    config.search.candidates = 2
    config.search.renew_every = 8
    config.precision = fast_precision()
    return config
