"""A measurement fits an operator, or does not: A(restored) beside it."""

import dataclasses

import numpy as np
import pytest

from inversenet_tf.imaging.config import NoiseConfig, OperatorConfig
from inversenet_tf.imaging.data.sources import TRAINING, Photos
from inversenet_tf.imaging.physics.degradation import UNEXPLAINED, Degradation
from inversenet_tf.imaging.physics.kernels import gaussian, linear_motion
from inversenet_tf.imaging.physics.noise import (
    ROUNDING_VARIANCE,
    add_gaussian_noise,
    round_to_8_bits,
)
from inversenet_tf.imaging.physics.operators import Blur, build_operator
from inversenet_tf.imaging.physics.solvers import solve
from inversenet_tf.imaging.physics.spectra import Spectrum

DIAGONAL = linear_motion(9, 45.0)
OTHERS = {
    "the other diagonal": linear_motion(9, 135.0),
    "a Gaussian": gaussian(9, 2.0),
    "sharp": np.ones((1, 1), np.float32),
}


@pytest.fixture(scope="module")
def photographs():
    """Parts of those for training."""
    source = Photos(TRAINING, 3, 1)
    return np.stack([source.load(index)[50:250, 60:260] for index in range(len(source))])


def fits_of(photographs, kernel, noise=0.0):
    """The `Fit` of each photograph blurred by a kernel and restored as if by the diagonal."""
    measured = Blur(kernel)(photographs)
    if noise:
        measured = add_gaussian_noise(measured, noise, (0, 1))
    measured = round_to_8_bits(measured).numpy()
    variance = ROUNDING_VARIANCE + noise**2
    restored = np.clip(solve(measured, DIAGONAL, 3 * variance, Spectrum()).numpy(), 0, 1)
    known = Degradation(DIAGONAL.tolist(), noise_sigma=noise)
    return [known.fit(*pair) for pair in zip(measured, restored, strict=True)]


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_what_was_blurred_so_fits(photographs, noise):
    for fit in fits_of(photographs, DIAGONAL, noise):
        assert fit.fits and fit.residual < 0.8 * fit.explained


@pytest.mark.parametrize("name", OTHERS)
def test_what_was_blurred_otherwise_does_not(photographs, name):
    fits = [fit.fits for fit in fits_of(photographs, OTHERS[name])]
    assert sum(fits) <= 1  # of a part without edges, little can be said


@pytest.mark.parametrize(
    "config",
    [
        OperatorConfig(),
        OperatorConfig(name="downsampling", scale=4, kernel="flat", kernel_size=7),
        OperatorConfig(name="joint", scale=2, kernel="chromatic", kernel_sigma=1.5),
        OperatorConfig(name="identity"),
    ],
    ids=lambda config: config.name,
)
def test_the_true_image_is_no_further_than_rounding(photographs, config):
    """Of every operator, whose own functions are the oracle."""
    operator = build_operator(config)
    known = Degradation.of(config, NoiseConfig(), operator.kernel)
    photographs = 0.9 * photographs + 0.05  # between the levels of 8 bits, also where nothing blurs
    measured = round_to_8_bits(operator(photographs)).numpy()
    for image, measurement in zip(photographs, measured, strict=True):
        pixels = np.round(255 * measurement).astype(np.uint8)
        for given in (measurement, pixels):
            fit = known.fit(given, image)
            assert fit.residual == pytest.approx(np.sqrt(ROUNDING_VARIANCE), rel=0.1)


def test_what_cannot_be_told(photographs):
    image = photographs[0]
    known = Degradation(DIAGONAL.tolist())
    assert known.fit(image[:20, :20], image[:20, :20]) is None
    assert known.fit(image, image[..., :1]) is None
    assert Degradation(None).fit(image, image) is None
    white = np.ones_like(image)
    assert known.fit(white, white) is None
    told = Degradation(None).told(DIAGONAL, 0.0)
    assert told.fit(image, image) == known.fit(image, image)


def test_a_model_that_leaves_much_is_granted_as_much():
    def known(unexplained):
        return Degradation.of(OperatorConfig(), NoiseConfig(), DIAGONAL, unexplained).unexplained

    assert (known(0.0), known(0.1), known(0.5)) == (UNEXPLAINED, UNEXPLAINED, 1.0)


def test_out_of_a_file():
    known = Degradation(DIAGONAL.tolist(), noise_sigma=0.01)
    fields = dataclasses.asdict(known)
    assert Degradation.from_dict(fields) == known
    for change in (
        {"kernel": [[float("nan")]]},
        {"kernel": [["a"]]},
        {"kernel": [[None]]},
        {"kernel": [[{}]]},
        {"kernel": [[1.0], [1.0, 2.0]]},
        {"kernel": 3},
        {"scale": 0},
        {"noise_sigma": -1.0},
        {"unexplained": float("inf")},
        {"more": 1},
    ):
        with pytest.raises(ValueError):
            Degradation.from_dict(fields | change)


@pytest.mark.parametrize(
    "measured, restored",
    [
        (np.zeros((40, 40)), np.zeros((40, 40))),
        (np.zeros((40, 40, 3)), np.zeros((80, 80, 3))),
        (np.zeros((40, 40, 3), int), np.zeros((40, 40, 3))),
    ],
)
def test_arrays_that_do_not_belong_together(measured, restored):
    with pytest.raises(ValueError, match="Expected"):
        Degradation(DIAGONAL.tolist()).fit(measured, restored)
