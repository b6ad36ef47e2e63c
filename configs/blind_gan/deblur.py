"""Blind deblurring of faces (Section 3.1, Fig. 1a).

  python tools/invert.py --config=configs/blind_gan/deblur.py --workdir=runs/deblur

25 held-out CelebA faces, the prior of `prior_celeba.py` after 5,250 steps, two CPU cores beside
other work, 8 minutes for all methods; PSNR in dB, SSIM:

  degraded    17.22   0.418
  pgd         17.20   0.415    told nothing
  wiener      22.57   0.679    told the kernel, no prior; 8-bit rounding is all its noise
  pgd_known   19.26   0.519    told the kernel
  blind       18.11   0.495

The estimated kernel has a correlation of 0.89 with the true one and a relative error of 0.46; of
what both measure on the true faces, 0.993 and 0.12.

`edges.py` differs in nothing but the measurements: the search does not know which task it has.
The warning that 11,616 weights ask for 117 measurements is by the paper's count of weights.
"""

from blind_gan_tf.config import InversionConfig


def get_config():
    """Departs from `InversionConfig`, the paper's constants, where it says so."""
    config = InversionConfig(prior="runs/prior_celeba")
    config.problem.operator.kernel = "gaussian"
    config.problem.operator.kernel_size = 20
    config.problem.operator.kernel_sigma = 5.0
    # Paper: 5 and Glorot's own; here: 21 pixels together, which hold the blur, from a small start.
    config.surrogate.kernel_size = 11
    config.surrogate.initial_scale = 0.1
    config.search.surrogate_rate = 1e-3  # Paper: 4e-3, too much for kernels of this size
    config.search.latent_rate = 3e-2  # Paper: 3e-4
    config.search.schedule = "cosine"
    config.search.rounds = 14  # Paper: 100, at constant rates
    # Beyond the paper: two kinds of starts side by side, after a few rounds with a library.
    config.search.random_starts = 1
    config.search.identity_starts = 1
    config.search.identity_rounds = 1
    config.search.trial_rounds = 5
    config.search.finalists = 2
    config.search.library = 100
    config.precision = "mixed_bfloat16"
    return config
