"""Choosing the constant of a baseline on training images."""

import numpy as np

from inversenet_tf.imaging.metrics import MetricProfile, psnr


def best_of(values, restored_at, pairs):
    """Returns the value whose restorations have the highest mean PSNR.

    Args:
        values: numbers to try.
        restored_at: function (measurements, values) -> the images restored with each value.
        pairs: batches of (measurements, images), [batch, height, width, channels] in [0, 1], of
            training images.
    """
    scores = [[] for _ in values]
    for measurements, images in pairs:
        for of_value, restored in zip(scores, restored_at(measurements, values), strict=True):
            of_value += psnr(restored, images, MetricProfile()).numpy().tolist()
    return float(values[int(np.argmax(np.mean(scores, axis=1)))])
