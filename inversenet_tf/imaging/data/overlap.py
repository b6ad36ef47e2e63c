"""Held-out images that are not held out: those among other images, by file or by content."""

import os

from absl import logging

from inversenet_tf.imaging.files.digests import sha256_of

# What images have done to a training, by what they are called.
CHOICES = {"training": "trained on", "validation": "chosen by"}


def warn_of_overlap(training, held_out, role="validation", other="training"):
    """Logs how many validation images are among the training images, and names one.

    Images are the same whatever path, subfolder or link leads to them, and where their files have
    the same bytes. Only sources of files are looked into; of others the specs are compared.

    Args:
        training, held_out: `ImageSource`s.
        role, other: what the held-out images are called, and the others.

    Returns:
        The number.
    """
    if training.spec == held_out.spec:
        logging.warning("The %s images are the %s images: %s", role, other, training.spec)
        return len(held_out)
    common = common_files(training.files, held_out.files)
    if common:
        logging.warning(
            "%d of the %d %s images are among the %s images, the first: %s. Scores "
            "of what was %s say little of other images.",
            *(len(common), len(held_out), role, other, common[0], CHOICES[other]),
        )
    return len(common)


def common_files(files, others):
    """Those of `others` that are among `files`, or have the same content: a list of paths.

    Only files of one size are read.
    """
    identities, by_size = set(), {}
    for path in files if others else ():
        status = _status(path)
        if status is not None:
            identities.add((status.st_dev, status.st_ino))
            by_size.setdefault(status.st_size, []).append(path)
    digests, common = {}, []
    for path in others:
        status = _status(path)
        if status is None:
            continue
        size = status.st_size
        if (status.st_dev, status.st_ino) in identities:
            common.append(path)
        elif size in by_size:
            if size not in digests:
                digests[size] = {_digest(one) for one in by_size[size]} - {None}
            if _digest(path) in digests[size]:
                common.append(path)
    return common


def _status(path):
    try:
        return os.stat(path)
    except OSError:  # it was there when it was listed
        return None


def _digest(path):
    try:
        return sha256_of(path)
    except OSError:
        return None
