"""Whether what was found is a blur, and how far to trust it."""

import numpy as np

from inversenet_tf.imaging.physics.kernel_search import Answer
from inversenet_tf.imaging.physics.kernel_shape import centred, radius_of

LEAST_SPREAD = 0.9  # pixels, below which an image counts as sharp
CLEAR_GAIN = 0.04  # of log likelihood a pixel over no blur, below which there is no blur
# The same by the second opinion. Of 100 blurred photographs for training seven are below 0.1: the
# kernels of three, below 0.05, restored 0.7 dB at most, the others' 0.1, 2.5, 2.8 and 5.6 dB.
CLEAR_LOCAL_GAIN = 0.05
# From how large a blur on the second opinion overrules the first, that there is none. Of 24 sharp
# photographs for training none was given more than 1.4 pixels by it; of seven blurred ones that the
# first took for sharp, three were given 5 to 8 pixels, rightly, the others less than one.
OVERRULING_SPREAD = 2.0
# Agreement of the first searches that an image is sharp, from which on it is not overruled. Of 25
# other sharp photographs the least has 0.92, and one, at 0.99, would be overruled wrongly; of three
# blurred ones two have 0.66 and 0.81, and come out 4 dB better.
SURE = 0.9
TRUSTED_GAIN = 0.15  # from which the kernel is trusted fully
# Independent searches know nothing of each other: between these similarities of the result to the
# second nearest of them the confidence rises from 0 to 1. Of 92 photographs for training whose blur
# was found, none of the seven below 0.8 lost less than 3 dB to the true kernel, 13 of the 20 up to
# 0.9 did, and 48 of the others, 65.
BY_SEARCHES = 0.7, 1.0
BY_SCREENINGS = 0.6, 0.8  # the same with an image model

NOT_CLEARLY = "No blur explains the image clearly better than none."


def why_it_finds_no_blur(answer: Answer) -> str:
    """Why an answer of a search is that there is no blur; empty where it is not."""
    if radius_of(centred(answer.kernels[0])) < LEAST_SPREAD:  # an image model tells its place, too
        return "The image is sharp: a blur that small is left as it is."
    if answer.gain < CLEAR_GAIN or answer.local_gain < CLEAR_LOCAL_GAIN:
        return NOT_CLEARLY
    return ""


def why_neither_finds_a_blur(first: Answer, second: Answer) -> str:
    """The same of a search and the second opinion of it, where that does not overrule it."""
    reason = why_it_finds_no_blur(first)
    if not reason:
        return why_it_finds_no_blur(second)
    return "" if _is_overruled(first, second) else reason


def _is_overruled(first, second):
    """Whether the second opinion finds a clear blur where the first, not sure, found none."""
    if radius_of(centred(first.kernels[0])) < LEAST_SPREAD and first.agreement >= SURE:
        return False
    is_large = radius_of(second.kernels[0]) >= OVERRULING_SPREAD
    return is_large and second.local_gain >= CLEAR_LOCAL_GAIN


def confidence_in(answer: Answer, ramp: tuple[float, float]) -> float:
    """How far a kernel explains the images and other searches find it, too.

    Args:
        answer: whose best kernel it is.
        ramp: `BY_SEARCHES` or `BY_SCREENINGS`.

    Returns:
        From 0 to 1.
    """
    gain = max(answer.gain, answer.local_gain if np.isfinite(answer.local_gain) else 0.0)
    confidence = np.interp(answer.agreement, ramp, (0.0, 1.0)) * answer.share
    return float(confidence * np.clip(gain / TRUSTED_GAIN, 0.0, 1.0))
