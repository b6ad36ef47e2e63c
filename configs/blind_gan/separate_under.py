"""One mixture of three digits, taken apart (Section 3.2, Fig. 2a).

  inversenet invert --config=separate_under --workdir=runs/separate_under
  ... --config.classifier=CLASSIFIER.npz   # also says which digits can still be read

Measured with --config.problem.number=50 --config.problem.group_size=0: 50 mixtures of MNIST's test
digits, all with one mixing, the prior of `prior_mnist.py`, two CPU cores beside other work, 7
minutes for `blind` alone; each mixture's PSNR in dB in its own best order, SSIM, and the fraction
that a LeNet reads correctly:

  method       PSNR    SSIM   read
  degraded    11.70   0.339   0.31    the mixture itself
  random      10.43   0.228   0.13    any digits
  naive        6.64   0.084   0.15
  pgd_known   19.32   0.766   0.79    told the mixing
  blind       17.39   0.708   0.73
"""

from blind_gan_tf.recipes import separate_digits


def get_config():
    """The search that both separations share."""
    return separate_digits(mixtures=1)
