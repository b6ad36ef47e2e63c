"""PSNR after the best shift, as an estimated kernel is only known up to a shift."""

import numpy as np

from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE

REACH = 8  # in pixels, of a shift, and of the border that is not scored


def best_psnr(estimate, image):
    """PSNR in dB after the best shift of up to REACH pixels, without a border of that width."""
    height, width = (side - 2 * REACH for side in image.shape[:2])
    inner = estimate[REACH:-REACH, REACH:-REACH]
    errors = [
        np.mean((image[top : top + height, left : left + width] - inner) ** 2)
        for top in range(2 * REACH + 1)
        for left in range(2 * REACH + 1)
    ]
    return _decibels(min(errors))


def best_circular_psnr(estimate, image, reach=REACH):
    """The same for a whole image with a circular blur, after a circular shift."""
    shifts = range(-reach, reach + 1)
    moved = (np.roll(estimate, (down, right), (0, 1)) for down in shifts for right in shifts)
    return _decibels(min(np.mean((image - one) ** 2) for one in moved))


def _decibels(error):
    """PSNR of a mean squared error, which is at least that of rounding to 8 bits."""
    return float(-10.0 * np.log10(max(error, ROUNDING_VARIANCE)))


def summary(rows):
    """{row: mean PSNR, mean gain, fraction made worse, least gain} of the photographs' scores."""
    means = {}
    before = np.array([scores["measured"] for scores in rows])
    for name in rows[0]:
        gains = np.array([scores[name] for scores in rows]) - before
        means[name] = {
            "psnr": float(np.mean(before + gains)),
            "gain": float(gains.mean()),
            "made_worse": float(np.mean(gains < 0)),
            "least_gain": float(gains.min()),
        }
    return means
