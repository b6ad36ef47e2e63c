"""How steady a training was, from the history of its validations."""

import numpy as np

from inversenet_tf.engine.callbacks import validations
from inversenet_tf.engine.workdir import HISTORY_FILE

SCORE = "val_psnr_restored"


def validation_psnr(workdir):
    """The validation PSNR of the restored images in dB: arrays (steps, values)."""
    kept = validations(workdir / HISTORY_FILE)
    return np.array([entry["step"] for entry in kept]), np.array([entry[SCORE] for entry in kept])


def steadiness(workdir):
    """Measures how steadily the validation PSNR of a training rose.

    Returns:
        dict of `psnr`, the curve in dB; `falls`, the share of validations below the one before;
        `largest_fall` in dB; `last_below_best`, the last value's distance to the best, in dB.
    """
    _, values = validation_psnr(workdir)
    changes = np.diff(values)
    return {
        "psnr": values.tolist(),
        "falls": float(np.mean(changes < 0)) if len(changes) else 0.0,
        "largest_fall": float(max(0.0, -changes.min(initial=0.0))),
        "last_below_best": float(values.max() - values[-1]),
    }
