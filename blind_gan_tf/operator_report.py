"""What a search has learned about the unknown operator, and whether its surrogate can hold it."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view

# The paper's 25 measurements for the 2,400 weights of its surrogate (Section 3.1).
WEIGHTS_PER_MEASUREMENT = 100
WIDER_BY = 8  # pixels by which the wider window exceeds the receptive field
TOLD_FRACTION = 0.1  # of the residual's variance that pixels beyond the receptive field may explain
SAMPLES = 20_000  # pixels that the regression uses


def responses(operator: Callable, channels: int, side: int) -> np.ndarray:
    """An operator's responses to one bright pixel in each channel of a black image.

    The response to the black image itself is subtracted.

    Args:
        operator: callable from images [batch, side, side, channels] to measurements; for a linear
            one the responses are its kernels.
        channels: of the images.
        side: of the images in pixels.

    Returns:
        float32 [channels, side, side, measured channels], the pixel at (side // 2, side // 2).
    """
    images = np.zeros((channels + 1, side, side, channels), np.float32)
    for channel in range(channels):
        images[channel, side // 2, side // 2, channel] = 1.0
    measured = np.asarray(operator(images))
    return measured[:-1] - measured[-1]


def receptive_field(surrogate: keras.Model, side: int = 64, seed: int = 0) -> tuple[int, int]:
    """(height, width), in pixels, of what one measured pixel depends on, in images of `side`."""
    images = tf.random.stateless_uniform((1, side, side, surrogate.input_shape[-1]), [seed, 0])
    with tf.GradientTape() as tape:
        tape.watch(images)
        middle = tf.reduce_sum(surrogate(images)[0, side // 2, side // 2])
    reached = np.abs(tape.gradient(middle, images).numpy()).sum((0, 3)) > 0
    rows, columns = np.flatnonzero(reached.any(1)), np.flatnonzero(reached.any(0))
    if not len(rows):
        return (0, 0)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def distance(estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The distance of estimated responses from the true ones.

    Returns:
        dict: `relative_error`, the norm of the difference over that of the truth; `correlation`,
        the cosine of their angle, which does not depend on scale.
    """
    norm = np.linalg.norm(truth)
    cosine = np.vdot(estimate, truth) / max(norm * np.linalg.norm(estimate), 1e-12)
    error = np.linalg.norm(estimate - truth) / max(norm, 1e-12)
    return {"relative_error": float(error), "correlation": float(cosine)}


def distance_on_images(
    surrogate: Callable, operator: Callable, images: np.ndarray
) -> dict[str, float]:
    """The distance of a surrogate from the operator where it matters, on images.

    A prior of smooth images leaves a kernel's high frequencies undetermined, and `distance` counts
    them.

    Args:
        surrogate, operator: callables from stacked images to measurements.
        images: [n, height, width, channels].

    Returns:
        dict: `relative_error_on_images` and `correlation_on_images` of the two measurements of
        each image, after subtracting the mean of each channel.
    """
    estimate, truth = (np.asarray(measure(images)) for measure in (surrogate, operator))
    centred = (x - x.mean((1, 2), keepdims=True) for x in (estimate, truth))
    return {f"{name}_on_images": value for name, value in distance(*centred).items()}


def least_error(truth: np.ndarray, field: tuple[int, int]) -> float:
    """The least relative error of any kernel with a (height, width) receptive field."""
    side = truth.shape[1]
    rows, columns = (
        slice(side // 2 - reach // 2, side // 2 - reach // 2 + reach) for reach in field
    )
    inside = np.linalg.norm(truth[:, rows, columns])
    outside = 1.0 - (inside / np.linalg.norm(truth)) ** 2
    return float(math.sqrt(max(outside, 0.0)))


def measurements_needed(surrogate: keras.Model) -> int:
    """How many measurements of one operator a surrogate needs, by the paper's number per weight."""
    return math.ceil(surrogate.count_params() / WEIGHTS_PER_MEASUREMENT)


def told_beyond(surrogate, images, measurements, estimates, *, seed=0) -> float:
    """The fraction of the residual that pixels beyond a surrogate's receptive field explain.

    The residual is regressed on windows of the images, averaged over their channels, once as wide
    as the receptive field and once `WIDER_BY` pixels wider. A surrogate that can hold the operator
    leaves nothing that the wider window explains better.

    Args:
        surrogate: Keras model.
        images: its inputs, stacked, [n, height, width, channels].
        measurements, estimates: [n, height, width, measured channels].
        seed: of the choice of pixels.

    Returns:
        The difference of the two explained fractions of variance, on held-out pixels; 0 for a
        surrogate that depends on no pixel, which has no receptive field.
    """
    height, width = images.shape[1:3]
    field = min(max(receptive_field(surrogate, min(height, width))), min(height, width) - 1)
    if not field:
        return 0.0
    wide = min(field + WIDER_BY, min(height, width))
    wide -= (wide - field) % 2  # the same centre
    residual = measurements - estimates
    gray = images.mean(-1)
    windows = sliding_window_view(gray, (wide, wide), axis=(1, 2))
    count, rows, columns = windows.shape[:3]
    places = np.random.default_rng(seed).permutation(count * rows * columns)[:SAMPLES]
    n, row, column = np.unravel_index(places, (count, rows, columns))
    targets = residual[n, row + wide // 2, column + wide // 2]
    edge = (wide - field) // 2
    inner = slice(edge, edge + field)
    shares = [
        _explained(windows[n, row, column][:, part, part].reshape(len(n), -1), targets)
        for part in (inner, slice(None))
    ]
    return shares[1] - shares[0]


def _explained(features, targets):
    """R^2 of a ridge regression, fitted on one half and scored on the other."""
    half = len(features) // 2
    centre, mean = features[:half].mean(0), targets[:half].mean(0)
    fit, held_out = features[:half] - centre, features[half:] - centre
    gram = fit.T @ fit
    gram[np.diag_indices_from(gram)] += 1e-3 * np.trace(gram) / len(gram) + 1e-8
    weights = np.linalg.solve(gram, fit.T @ (targets[:half] - mean))
    wanted = targets[half:] - mean
    left = np.mean((wanted - held_out @ weights) ** 2)
    return 1.0 - float(left / max(np.mean(wanted**2), 1e-12))


def warnings_of(surrogate, images, measurements, estimates) -> list[str]:
    """Warnings to the user about a surrogate after a search, one line each."""
    warnings = []
    needed = measurements_needed(surrogate)
    if len(measurements) < needed:
        warnings.append(
            f"Expected at least {needed} measurements of one operator for a surrogate of "
            f"{surrogate.count_params()} weights. Received: {len(measurements)}. It may fit them "
            "with wrong images; use more measurements or a smaller surrogate."
        )
    height, width = receptive_field(surrogate, min(images.shape[1:3]))
    if not height:
        warnings.append(
            "The estimated operator gives the same measurement for every image: the units of its "
            "surrogate are dead. Another seed, or the surrogate linear_convolution, may help."
        )
    share = told_beyond(surrogate, images, measurements, estimates)
    if share > TOLD_FRACTION:
        warnings.append(
            f"The operator does not fit into the surrogate's receptive field of {height}x{width} "
            f"pixels: pixels beyond it explain another {share:.0%} of the residual. A larger "
            "surrogate.kernel_size may help."
        )
    return warnings
