"""Describes the machine, and measures the most that it can do."""

import os
import platform
from importlib import metadata

SIDE = 4096  # of the matrices: large enough that only the arithmetic counts


def matrix_product(precision, side=SIDE):
    """Prepares the turn that gives the machine's limit: a product of two large matrices."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    one, other = (
        tf.cast(tf.random.stateless_normal((side, side), [seed, 0]), precision) for seed in (0, 1)
    )
    product = tf.function(lambda: one @ other)

    def turn():
        product().numpy()  # waits for the result

    return turn


def description():
    """Returns what distinguishes this machine from others."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }


def load():
    """Returns the load average of the last minute, None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor():
    try:
        with open("/proc/cpuinfo") as lines:
            named = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        named = []
    return named[0] if named else platform.processor()


def versions_of_baselines():
    """Returns the versions of the packages that this one is measured against."""
    versions = {}
    for name in ("torch", "deepinv"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
