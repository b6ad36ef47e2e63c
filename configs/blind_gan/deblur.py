"""Blind deblurring of faces (Section 3.1, Fig. 1a).

  inversenet invert --config=deblur --workdir=runs/deblur

25 held-out CelebA faces, the prior of `prior_celeba.py` after 5,250 steps, two CPU cores beside
other work, 8 minutes for all methods; PSNR in dB, SSIM:

  degraded    17.22   0.418
  pgd         17.20   0.415    told nothing
  wiener      22.57   0.679    told the kernel, no prior; 8-bit rounding is all its noise
  pgd_known   19.26   0.519    told the kernel
  blind       18.11   0.495

The estimated kernel has a correlation of 0.89 with the true one and a relative error of 0.46; what
both measure on the true faces, 0.993 and 0.12.

With a prior of 3,260 steps (pgd_known 18.92, range 20.87): blind 18.42, blind_refined 19.82.

`edges.py` differs only in its measurements: the search does not know which task it has.
The warning that 11,616 weights ask for 117 measurements goes by the paper's count of weights.
"""

from blind_gan_tf.recipes import restore_faces


def get_config():
    """The search that all convolutions share, and the operator, which it does not know."""
    config = restore_faces()
    config.problem.operator.kernel = "gaussian"
    config.problem.operator.kernel_size = 20
    config.problem.operator.kernel_sigma = 5.0
    return config
