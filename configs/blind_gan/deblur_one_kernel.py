"""Blind deblurring of faces, given that one blur acts on all channels (Section 3.1).

  inversenet invert --config=deblur_one_kernel --workdir=runs/deblur_one_kernel
  ... --config.surrogate.initial_kernel=kernel.npy   # begins with an estimated kernel

25 held-out faces, a prior of 3,260 steps, begun with the estimated kernel (`auto`): measured 17.22
dB, pgd_known 18.92, blind 18.66, blind_refined 20.73; see `docs/blind_inversion.md`.

The surrogate is a single kernel, non-negative and of sum one: 441 weights in place of 11,616, and
it cannot change colours. The paper's surrogate, which knows nothing about its task, is in
`deblur.py`.
"""

from blind_gan_tf.recipes import find_one_kernel


def get_config():
    """Sets the operator; the search knows only that it is a blur."""
    config = find_one_kernel()
    config.problem.operator.kernel = "gaussian"
    config.problem.operator.kernel_size = 20
    config.problem.operator.kernel_sigma = 5.0
    return config
