"""Four mixtures of three digits, taken apart (Section 3.2, Fig. 2b).

  python tools/invert.py --config=configs/blind_gan/separate_over.py --workdir=runs/separate_over
  ... --config.judge=CLASSIFIER.npz   # also says which digits can still be read

50 sets of four mixtures of MNIST's test digits that share one mixing, the prior of
`prior_mnist.py`, two CPU cores beside other work, 6 minutes for `blind` alone; matched PSNR in dB,
SSIM, and the share that a LeNet reads rightly:

  method       PSNR    SSIM   read
  degraded    12.35   0.401   0.40    the mixtures themselves
  random      10.43   0.228   0.13    any digits
  naive        6.51   0.078   0.17
  ica         11.30   0.192   0.39
  pgd_known   22.73   0.860   0.85    told the mixing
  blind       19.30   0.767   0.79
"""

from blind_gan_tf.config import InversionConfig


def get_config():
    """Departs from `InversionConfig`, the paper's constants, where it says so."""
    config = InversionConfig(prior="runs/prior_mnist")
    config.problem.task = "separation"
    config.problem.number = 50
    config.problem.sources = 3
    config.problem.mixing.mixtures = 4
    # Mixtures have no upper bound, and so cannot be rounded to 8 bits.
    config.problem.signed = True
    config.problem.noise.eight_bit = False
    config.surrogate.name = "mixing"
    config.search.latent_rate = 3e-2  # Paper: 3e-4
    config.search.perceptual_weight = 0.0  # Paper: 1e-4; here: left out, for time
    # Beyond the paper: gradients do not turn one digit into another. A trial of several starts
    # chooses a surrogate, and a second candidate for each mixture begins anew from time to time.
    config.search.rounds = 32  # Paper: 100
    config.search.random_starts = 6
    config.search.trial_rounds = 6
    config.search.candidates = 2
    config.search.renew_every = 8
    config.precision = "mixed_bfloat16"
    return config
