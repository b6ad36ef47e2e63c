"""Operators and the prior of images as dense matrices, to hold the solvers against."""

import numpy as np


def dense_model(operator, spectrum, size):
    """The operator and the covariance S of all pixels' channels, as matrices."""
    shape = (*size, 3)
    count = int(np.prod(shape))
    matrix = operator(np.eye(count, dtype=np.float32).reshape(count, *shape)).numpy()
    matrix = matrix.reshape(count, -1).T.astype(np.float64)
    power = spectrum.full_power(*size).numpy().astype(np.float64)
    covariance = np.fft.ifft2(power).real  # of two pixels, by their offset
    rows, columns = (grid.ravel() for grid in np.indices(size))
    between = covariance[(rows[:, None] - rows) % size[0], (columns[:, None] - columns) % size[1]]
    return matrix, np.einsum("ij,cd->icjd", between, spectrum.covariance).reshape(count, count)
