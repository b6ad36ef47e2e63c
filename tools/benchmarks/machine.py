"""What the machine is, and what it can do at most."""

import os
import platform
from importlib import metadata

SIDE = 4096  # of the matrices: large enough that only the arithmetic counts


def matrix_product(precision, side=SIDE):
    """The turn of the machine's limit: one product of two large matrices."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    one, other = (
        tf.cast(tf.random.stateless_normal((side, side), [seed, 0]), precision) for seed in (0, 1)
    )
    product = tf.function(lambda: one @ other)

    def turn():
        product().numpy()  # which waits for it

    return turn


def description():
    """What tells this machine from another."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }


def load():
    """Processes that waited for a core during the last minute, None where nobody counts them."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor():
    try:
        with open("/proc/cpuinfo") as lines:
            named = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        named = []
    return named[0] if named else platform.processor()


def versions_of_baselines():
    """The versions of the packages that this one is measured against."""
    versions = {}
    for name in ("torch", "deepinv"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
