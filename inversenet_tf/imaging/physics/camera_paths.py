"""Paths of a camera during an exposure, and the blur kernels that they draw.

A path is a sum of cosines of time for the rows and another for the columns, [2, COSINES], in pixels
from the middle of the kernel. As a smooth path needs few cosines, the kernel has far fewer unknowns
than pixels, and stays a connected line.
"""

import numpy as np

COSINES = 14
POINTS = 128  # of the exposure, at which the path is drawn
TIMES = np.pi * (np.arange(POINTS) + 0.5) / POINTS
WAVES = np.cos(np.arange(COSINES)[:, np.newaxis] * TIMES)
ROUGHNESS = (1.2, 3.0)  # powers with which the cosines of random paths fall with frequency
LEAST_REACH = 1.5  # half the extent of the smallest random path, in pixels
STRETCHES = (0.25, 0.5, 1.0, 2.0)  # factors on a perturbation's scale: some small, some large


def random_paths(count: int, side: int, generator: np.random.Generator) -> np.ndarray:
    """Random paths of all sizes that fit into a kernel of that side, centred in it.

    Returns:
        [count, 2, COSINES].
    """
    frequencies = np.arange(1, COSINES)
    paths = np.zeros((count, 2, COSINES))
    power = generator.uniform(*ROUGHNESS, (count, 1, 1))
    paths[..., 1:] = generator.normal(size=(count, 2, COSINES - 1)) * frequencies**-power
    points = paths @ WAVES
    paths[..., 0] -= (points.max(axis=-1) + points.min(axis=-1)) / 2
    reach = np.ptp(points, axis=-1).max(axis=-1) / 2
    wanted = generator.uniform(LEAST_REACH, (side - 1) / 2, count)
    return paths * (wanted / reach)[:, np.newaxis, np.newaxis]


def perturbed(
    paths: np.ndarray, count: int, scale: float, generator: np.random.Generator
) -> np.ndarray:
    """Paths [number, 2, COSINES], each perturbed in `count` ways by about `scale` pixels."""
    children = np.repeat(paths, count, axis=0)
    stretches = generator.choice(STRETCHES, (len(children), 1, 1))
    noise = generator.normal(size=children.shape) / np.arange(1, COSINES + 1)
    return children + scale * stretches * noise


def drawn(paths: np.ndarray, side: int) -> np.ndarray:
    """The kernels of paths [number, 2, COSINES]: float32 [number, side, side], each of sum 1."""
    corners, fractions = _pixels(paths, side)
    kernels = np.zeros(len(paths) * side * side)
    first = np.arange(len(paths))[:, np.newaxis] * side * side
    for row in (0, 1):
        for column in (0, 1):
            places = first + (corners[:, 0] + row) * side + corners[:, 1] + column
            weights = np.abs(1 - row - fractions[:, 0]) * np.abs(1 - column - fractions[:, 1])
            kernels += np.bincount(places.ravel(), weights.ravel(), len(kernels))
    return (kernels.reshape(-1, side, side) / POINTS).astype(np.float32)


def gradient_by_path(path: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient with respect to a path [2, COSINES], given that with respect to its kernel."""
    (corners,), (fractions,) = _pixels(path[np.newaxis], len(gradient))
    (row, column), (down, right) = corners, fractions
    upper_left, upper_right = gradient[row, column], gradient[row, column + 1]
    lower_left, lower_right = gradient[row + 1, column], gradient[row + 1, column + 1]
    by_row = (lower_left - upper_left) * (1 - right) + (lower_right - upper_right) * right
    by_column = (upper_right - upper_left) * (1 - down) + (lower_right - lower_left) * down
    return np.stack([by_row, by_column]) @ WAVES.T / POINTS


def _pixels(paths, side):
    """The upper left of the four pixels around each point, and the point's offset from it."""
    points = np.clip(paths @ WAVES + side // 2, 0, side - 1.001)
    corners = np.floor(points).astype(int)
    return corners, points - corners
