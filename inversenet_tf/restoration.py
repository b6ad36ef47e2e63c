"""Restoring images with a trained model: arrays, files and folders."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from tqdm import tqdm

from inversenet_tf.imaging.io import ImageReadError, list_images, read_image, write_image


class Restorer:
    """A trained `InverseNet` as one compiled function for every size of image."""

    def __init__(self, model):
        channels = model.measured_channels
        signature = [tf.TensorSpec((None, None, None, channels), tf.float32, "measurements")]
        self._restore = tf.function(model.restore, input_signature=signature)

    def __call__(self, measurements):
        """[batch, height, width, channels] -> {"inverted", "restored"}: NumPy arrays in [0, 1]."""
        return {name: image.numpy() for name, image in self._restore(measurements).items()}


def restore_files(model, source, output, overwrite=False):
    """Restores an image file, or all below a directory, into PNG files of the same names.

    Args:
        model: a trained `InverseNet`.
        source: file or directory.
        output: directory for the results; subdirectories are kept.
        overwrite: whether a result that exists may be replaced.

    Returns:
        (restored, skipped): list of the paths written, and dict from each unreadable file to the
        reason.

    Raises:
        ValueError: nothing to restore, or a result that exists; raised before any work.
    """
    source, output = Path(source).expanduser(), Path(output).expanduser()
    paths = list_images(source) if source.is_dir() else [source]
    if source in output.parents:  # results of an earlier call may lie inside the source
        paths = [path for path in paths if not path.is_relative_to(output)]
    root = source if source.is_dir() else source.parent
    targets = [(output / path.relative_to(root)).with_suffix(".png") for path in paths]
    if len(set(targets)) < len(targets):
        twice = sorted({str(t) for t in targets if targets.count(t) > 1})
        raise ValueError(f"Expected files that differ in more than their suffix. Received: {twice}")
    existing = [str(target) for target in targets if target.exists()]
    if existing and not overwrite:
        raise ValueError(
            f"Expected results that do not exist yet, or --overwrite. Received: {existing[0]} "
            f"and {len(existing) - 1} more."
        )
    restorer, restored, skipped = Restorer(model), [], {}
    for path, target in tqdm(list(zip(paths, targets, strict=True)), "restoring", unit="image"):
        try:
            image = read_image(path, model.measured_channels)
        except ImageReadError as error:
            logging.warning("Skipped: %s", error)
            skipped[str(path)] = str(error)
            continue
        write_image(target, restorer(image[np.newaxis])["restored"][0])
        restored.append(target)
    if not restored:
        raise ValueError(f"Expected a readable image in {source}. Received: {skipped}")
    return restored, skipped
