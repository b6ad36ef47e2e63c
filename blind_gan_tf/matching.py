"""Matches separated images to their sources, where all mixtures of a group share one mixing.

`metrics.matched_to_sources` lets every mixture choose its own order. But the order belongs to the
operator: a method that has identified it finds the same order in all of its mixtures.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from inversenet_tf.imaging.metrics import intensity_normalised, psnr


def unmatched(estimates: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and sources in their present order, with intensities normalised to [0, 1]."""
    return intensity_normalised(estimates), intensity_normalised(sources)


def matched_in_groups(
    estimates: np.ndarray, sources: np.ndarray, *, profile, groups: list[slice]
) -> tuple[np.ndarray, np.ndarray]:
    """Puts the separated images of each group into one order, that of greatest mean PSNR.

    All estimates that a group assigns to one source also share one sign. Intensities are normalised
    image by image.

    Args:
        estimates: [N, M, height, width, channels], of any range; M >= S.
        sources: [N, S, height, width, channels].
        profile: a `MetricProfile`.
        groups: slices of the N that share one mixing.

    Returns:
        (matched, normalised), both [N, S, ...] in [0, 1]: the estimates in the order of the
        sources, and the sources.
    """
    estimates, wanted = unmatched(estimates, sources)
    both_signs = np.stack([estimates, 1.0 - estimates], axis=1)  # [N, 2, M, ...]
    matched = np.empty_like(wanted)
    for group in groups:
        scores = _mean_scores(both_signs[group], wanted[group], profile)  # [S, 2, M]
        for source, estimate in zip(*linear_sum_assignment(-scores.max(1)), strict=True):
            sign = scores[source, :, estimate].argmax()
            matched[group, source] = both_signs[group, sign, estimate]
    return matched, wanted


def _mean_scores(both_signs, wanted, profile):
    """PSNR of [n, 2, M, ...] against [n, S, ...], averaged over the n: [S, 2, M]."""
    shape = both_signs.shape
    images = both_signs.reshape(-1, *shape[3:])
    scores = []
    for source in range(wanted.shape[1]):
        truth = np.broadcast_to(wanted[:, source, None, None], shape).reshape(images.shape)
        scores.append(np.reshape(psnr(images, truth, profile), shape[:3]).mean(0))
    return np.stack(scores)
