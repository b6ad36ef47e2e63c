"""One network for every blur, told the kernel and the noise of each measurement.

Training draws camera shakes, lines, Gaussians, disks and no blur, and noise up to 0.03. Restore
with `inversenet restore --workdir=... --kernel=FILE --noise=0.01 --boundary=reflect`.
"""

from inversenet_tf import recipes


def get_config():
    """The recipe; nothing to change."""
    return recipes.any_blur()
