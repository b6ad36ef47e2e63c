"""How steady a training was, from what TensorBoard was told of its validations."""

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow import make_ndarray

from inversenet_tf.engine.workdir import LOGS

SCORE = "validation/psnr_restored"


def validation_psnr(workdir):
    """The validation PSNR of the restored images in dB: (steps, values), arrays of one length."""
    logs = EventAccumulator(str(workdir / LOGS), size_guidance={"tensors": 0})
    logs.Reload()
    found = {event.step: float(make_ndarray(event.tensor_proto)) for event in logs.Tensors(SCORE)}
    steps = sorted(found)
    return np.array(steps), np.array([found[step] for step in steps])


def steadiness(workdir):
    """What tells a steady training from an unsteady one.

    Returns:
        dict of `psnr`, the curve in dB; `falls`, the share of validations below the one before;
        `largest_fall` in dB; `last_below_best` in dB.
    """
    _, values = validation_psnr(workdir)
    changes = np.diff(values)
    return {
        "psnr": values.tolist(),
        "falls": float(np.mean(changes < 0)) if len(changes) else 0.0,
        "largest_fall": float(max(0.0, -changes.min(initial=0.0))),
        "last_below_best": float(values.max() - values[-1]),
    }
