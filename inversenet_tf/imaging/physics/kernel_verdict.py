"""Decides whether a search found a blur, and how far to trust it."""

import numpy as np

from inversenet_tf.imaging.physics.kernel_search import Answer
from inversenet_tf.imaging.physics.kernel_shape import centred, radius_of

LEAST_SPREAD = 0.9  # pixels, below which an image counts as sharp
CLEAR_GAIN = 0.04  # least gain over no blur, in log likelihood per pixel, that counts as a blur
# The same for the second opinion. Of 100 blurred training photographs seven are below 0.1: the
# kernels of the three below 0.05 gained 0.7 dB at most, those of the others 0.1, 2.5, 2.8 and
# 5.6 dB.
CLEAR_LOCAL_GAIN = 0.05
# Least radius of a blur with which the second opinion overrules a first one of no blur. In 24 sharp
# training photographs it found none above 1.4 pixels; in seven blurred ones that the first took for
# sharp, it found three, rightly, of 5 to 8 pixels, and the others below one.
OVERRULING_SPREAD = 2.0
# Agreement of the first searches on a sharp image from which they are not overruled. Of 25 other
# sharp photographs the least has 0.92, and one, at 0.99, would be overruled wrongly; of three
# blurred ones two have 0.66 and 0.81, and come out 4 dB better.
SURE = 0.9
TRUSTED_GAIN = 0.15  # from which the kernel is trusted fully
# The confidence rises from 0 to 1 between these similarities of the result to the second nearest of
# the independent searches. Of 92 training photographs whose blur was found, none of the seven below
# 0.8 lost less than 3 dB to the true kernel, 13 of the 20 up to 0.9 did, and 48 of the others, 65.
BY_SEARCHES = 0.7, 1.0
BY_SCREENINGS = 0.6, 0.8  # the same with an image model

NOT_CLEARLY = "No blur explains the image clearly better than none."


def why_it_finds_no_blur(answer: Answer) -> str:
    """Why an answer counts as no blur, as a sentence; empty if it counts as a blur."""
    if radius_of(centred(answer.kernels[0])) < LEAST_SPREAD:  # uncentred with an image model
        return "The image is sharp: so small a blur is not removed."
    if answer.gain < CLEAR_GAIN or answer.local_gain < CLEAR_LOCAL_GAIN:
        return NOT_CLEARLY
    return ""


def why_neither_finds_a_blur(first: Answer, second: Answer) -> str:
    """The same for a search and a second opinion, which may overrule it."""
    reason = why_it_finds_no_blur(first)
    if not reason:
        return why_it_finds_no_blur(second)
    return "" if _is_overruled(first, second) else reason


def _is_overruled(first, second):
    """Whether the second opinion clearly finds a blur that the first does not surely rule out."""
    if radius_of(centred(first.kernels[0])) < LEAST_SPREAD and first.agreement >= SURE:
        return False
    is_large = radius_of(second.kernels[0]) >= OVERRULING_SPREAD
    return is_large and second.local_gain >= CLEAR_LOCAL_GAIN


def confidence_in(answer: Answer, ramp: tuple[float, float]) -> float:
    """The confidence in the best kernel of an answer.

    It rises with how well the kernel explains the images and how far independent searches agree.

    Args:
        answer: of a search.
        ramp: `BY_SEARCHES` or `BY_SCREENINGS`.

    Returns:
        From 0 to 1.
    """
    gain = max(answer.gain, answer.local_gain if np.isfinite(answer.local_gain) else 0.0)
    confidence = np.interp(answer.agreement, ramp, (0.0, 1.0)) * answer.share
    return float(confidence * np.clip(gain / TRUSTED_GAIN, 0.0, 1.0))
