"""Finds held-out images that are also among other images, by file or by content."""

import os

from absl import logging

from inversenet_tf.imaging.files.digests import sha256_of

# How a training used the images of each name.
CHOICES = {"training": "trained on", "validation": "chosen by"}


def warn_of_overlap(training, held_out, role="validation", other="training"):
    """Logs how many held-out images are among the training images, and names one.

    Images count as the same if they are one file, under whatever path or link, or if their files
    have the same bytes. Sources without files are compared by their specs alone.

    Args:
        training, held_out: `ImageSource`s.
        role, other: what the log calls the images of `held_out` and of `training`.

    Returns:
        The number of images in common.
    """
    if training.spec == held_out.spec:
        logging.warning("The %s images are the %s images: %s", role, other, training.spec)
        return len(held_out)
    common = common_files(training.files, held_out.files)
    if common:
        logging.warning(
            "%d of the %d %s images are among the %s images, the first: %s. Scores "
            "of what was %s say little about other images.",
            *(len(common), len(held_out), role, other, common[0], CHOICES[other]),
        )
    return len(common)


def common_files(files, others):
    """Returns the paths in `others` whose files are also in `files`, by identity or content.

    Only files of equal size are read.
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
    except OSError:  # removed since it was listed
        return None


def _digest(path):
    try:
        return sha256_of(path)
    except OSError:
        return None
