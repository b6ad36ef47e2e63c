"""Four mixtures of three digits, taken apart (Section 3.2, Fig. 2b).

  inversenet invert --config=separate_over --workdir=runs/separate_over
  ... --config.classifier=CLASSIFIER.npz   # also says which digits can still be read

Measured with --config.problem.number=50 --config.problem.group_size=0: 50 sets of four mixtures of
MNIST's test digits, all with one mixing, the prior of `prior_mnist.py`, two CPU cores beside other
work, 6 minutes for `blind` alone; each mixture's PSNR in dB in its own best order, SSIM, and the
fraction that a LeNet reads correctly:

  method       PSNR    SSIM   read
  degraded    12.35   0.401   0.40    the mixtures themselves
  random      10.43   0.228   0.13    any digits
  naive        6.51   0.078   0.17
  ica         11.30   0.192   0.39
  pgd_known   22.73   0.860   0.85    told the mixing
  blind       19.30   0.767   0.79
"""

from blind_gan_tf.recipes import separate_digits


def get_config():
    """The search that both separations share."""
    return separate_digits(mixtures=4)
