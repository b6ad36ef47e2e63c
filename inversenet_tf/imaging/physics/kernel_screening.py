"""Screening of thousands of random kernels for those that explain measurements best.

The likelihood has many maxima, and most kernels are far from the right one. So thousands of random
camera paths are scored at once, on the lowest frequencies and with the image model's first
components only; the likeliest are perturbed, less each time, and scored again, as in evolution
strategies.
"""

import dataclasses
import functools

import numpy as np
from scipy.ndimage import gaussian_filter

from inversenet_tf.imaging.physics.camera_paths import drawn, perturbed, random_paths
from inversenet_tf.imaging.physics.class_likelihood import Observed

DRAWN = 4000  # random paths to begin with
PARENTS, CHILDREN = 100, 10  # paths kept of each generation, and perturbations of each
SCALES = (2.0, 1.5, 1.2, 1.0, 0.7, 0.5)  # of the perturbations in each generation, in pixels
AT_ONCE = 500  # kernels that are scored together, to limit the memory
SHIFTS = np.arange(-6, 7, 2)  # pixels along each axis at which each kernel is tried
SMOOTHING = 1.0  # pixels, before kernels are compared
ALIKE = 0.9  # correlation from which on only the likelier of two kernels is kept


@dataclasses.dataclass(frozen=True, eq=False)
class Screening:
    """The likelihood of many kernels, each at its best shift.

    A shift changes only the phase of a transfer, so most of the work serves all shifts.

    Attributes:
        observed: the lowest frequencies of the measurements, with few components.
    """

    observed: Observed

    def __call__(self, kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least costs [number] of kernels [number, side, side], and their shifts [number, 2]."""
        parts = np.split(kernels, range(AT_ONCE, len(kernels), AT_ONCE))
        costs = np.concatenate([self._costs(part) for part in parts])
        best = costs.argmin(axis=1)
        return costs[np.arange(len(costs)), best], self._shifts[best]

    @functools.cached_property
    def _shifts(self):
        return np.stack(np.meshgrid(SHIFTS, SHIFTS, indexing="ij"), axis=-1).reshape(-1, 2)

    @functools.cached_property
    def _phases(self):
        """What the shifts multiply the measurements' spectra by: [shifts, frequencies]."""
        prior = self.observed.prior
        (height, width), (low_height, low_width) = prior.shape, prior.low
        rows = np.fft.fftfreq(low_height, 1 / low_height) / height
        columns = np.arange(low_width // 2 + 1) / width
        down, right = self._shifts.T[..., np.newaxis, np.newaxis]
        turns = down * rows[:, np.newaxis] + right * columns
        return np.exp(2j * np.pi * turns).reshape(len(turns), -1)

    @functools.cached_property
    def _turned_factors(self):
        """Each colour's components at each shift: [components * shifts, 2 * frequencies]."""
        turned = []
        for factors in self.observed.prior.factors:
            real, imaginary = np.split(factors.T, 2, axis=1)
            product = (real - 1j * imaginary)[:, np.newaxis] * self._phases
            product = product.reshape(-1, product.shape[-1])
            turned.append(np.hstack([product.real, -product.imag]).astype(np.float32))
        return turned

    @functools.cached_property
    def _pairs(self):
        """Each colour's products of any two components: [frequencies, components ** 2]."""
        pairs = []
        for factors in self.observed.prior.factors:
            products = factors[:, :, np.newaxis] * factors[:, np.newaxis]
            pairs.append(sum(np.split(products.reshape(len(factors), -1), 2)))
        return pairs

    def _costs(self, kernels):
        """The costs of kernels at each shift, up to a constant: [number, shifts]."""
        transfers = self.observed.prior.transfers(kernels)
        return sum(
            self._costs_of(colour, transfers, spectrum)
            for colour, spectra in enumerate(self.observed.spectra)
            for spectrum in spectra
        )

    def _costs_of(self, colour, transfers, spectrum):
        """The costs for one colour of one image, as `class_likelihood` has them for one kernel."""
        prior, weights = self.observed.prior, self.observed.prior.weights
        mean, factors = prior.means[colour], prior.factors[colour]
        passed = np.square(np.abs(transfers))
        diagonal = passed * prior.powers[colour] + self.observed.noise**2
        shares = (passed / diagonal).astype(np.float32)
        # Without components: the phases of the measurement turn instead of the kernel shifting.
        squares = np.square(np.abs(spectrum)) + passed * np.square(np.abs(mean))
        fixed = (np.log(diagonal) + squares / diagonal) @ weights
        filtered = transfers.conj() / diagonal * spectrum
        together = ((filtered * mean.conj() * weights) @ self._phases.T).real
        costs = fixed[:, np.newaxis] - 2 * together
        # What the components explain, by the matrix inversion lemma.
        count = factors.shape[1]
        inner = (shares @ self._pairs[colour]).reshape(-1, count, count) + np.eye(count)
        weighted = filtered * np.sqrt(weights)
        weighted = np.hstack([weighted.real, weighted.imag]).astype(np.float32)
        scores = (weighted @ self._turned_factors[colour].T).reshape(len(transfers), count, -1)
        weighted = np.sqrt(weights) * shares * mean
        scores -= (np.hstack([weighted.real, weighted.imag]) @ factors)[..., np.newaxis]
        root = np.linalg.cholesky(inner.astype(np.float32))
        explained = np.square(np.linalg.solve(root, scores)).sum(axis=1)
        determinants = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        return costs + determinants[:, np.newaxis] - explained


def likeliest_paths(
    observed: Observed, side: int, count: int, seed: int, share: float = 1.0
) -> np.ndarray:
    """Searches for camera paths whose kernels explain the measurements best.

    Args:
        observed: the lowest frequencies of the measurements, with few components.
        side: odd side of the kernels.
        count: greatest number of paths; no two of them draw nearly the same kernel.
        seed: of the random numbers.
        share: of the usual number of paths, to save time.

    Returns:
        [at most count, 2, COSINES], the likeliest first.
    """
    generator, screening = np.random.default_rng(seed), Screening(observed)
    paths = random_paths(round(share * DRAWN), side, generator)
    for scale in SCALES:
        paths = _survivors(screening, paths, side, round(share * PARENTS))
        paths = np.concatenate([paths, perturbed(paths, CHILDREN, scale, generator)])
    return _survivors(screening, paths, side, count)


def _survivors(screening, paths, side, count):
    """The likeliest paths, each at its best shift, without those like a likelier one."""
    kernels = drawn(paths, side)
    costs, shifts = screening(kernels)
    order = np.argsort(costs)
    smooth = gaussian_filter(kernels[order], (0, SMOOTHING, SMOOTHING)).reshape(len(order), -1)
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    kept = []
    for place, kernel in enumerate(smooth):
        if len(kept) == count:
            break
        if not kept or (smooth[kept] @ kernel).max() < ALIKE:
            kept.append(place)
    survivors = paths[order[kept]]
    survivors[..., 0] += shifts[order[kept]]
    return survivors
