"""Blind inversion of edge maps of faces (Section 3.1, Fig. 1b).

  inversenet invert --config=edges --workdir=runs/edges

25 held-out CelebA faces, the prior of `prior_celeba.py` after 5,250 steps, two CPU cores beside
other work, 7 minutes for all methods; PSNR in dB, SSIM:

  degraded     6.70   0.023
  pgd          6.76   0.035    told nothing
  pgd_known   17.07   0.601    told the kernel
  blind       16.57   0.591

An edge map says nothing about an image's mean, and little about its colours. The estimated kernel
is a wider derivative: its correlation with the true one is 0.44; that of what both measure on the
true faces, which have few high frequencies, is 0.956.

`deblur.py` differs only in its measurements: the search does not know which task it has.
The warning that 11,616 weights ask for 117 measurements goes by the paper's count of weights.
"""

from blind_gan_tf.recipes import restore_faces


def get_config():
    """The search that all convolutions share, and the operator, which it does not know."""
    config = restore_faces()
    config.problem.operator.kernel = "sobel"
    config.problem.signed = True
    config.problem.noise.quantize = False
    return config
