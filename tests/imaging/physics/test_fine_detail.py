"""A small image that was scaled down otherwise than it is taken to be is told by its spectrum."""

import numpy as np
import pytest

from inversenet_tf.imaging.config import NoiseConfig, OperatorConfig
from inversenet_tf.imaging.data.sources import TRAINING, Photos
from inversenet_tf.imaging.physics import fine_detail as module
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.imaging.physics.fine_detail import fine_detail
from inversenet_tf.imaging.physics.kernels import flat, gaussian
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import Blur, Compose, Downsampling, build_operator
from inversenet_tf.imaging.physics.solvers import solve
from inversenet_tf.imaging.physics.spectra import KNEE, Spectrum

X4 = OperatorConfig(name="downsampling", scale=4, kernel="flat", kernel_size=7)
OTHERS = {
    "every fourth pixel": OperatorConfig(
        name="downsampling", scale=4, kernel="flat", kernel_size=1
    ),
    "a wide Gaussian": OperatorConfig(
        name="downsampling", scale=4, kernel="gaussian", kernel_size=25, kernel_sigma=4.0
    ),
}


@pytest.fixture(scope="module")
def photographs():
    """Those for training, cut to one size."""
    source = Photos(TRAINING, 3, 1)
    return [source.load(index)[:400, :400] for index in range(len(source))]


def details_of(photographs, config):
    """The `FineDetail` of each photograph, scaled down by a config and taken for `X4`."""
    operator = build_operator(config)
    measured = [round_to_8_bits(operator(image[np.newaxis])).numpy()[0] for image in photographs]
    return [fine_detail(image, flat(7), 4, 0.0) for image in measured]


def test_photographs_that_were_scaled_down_so_fit(photographs):
    for detail in details_of(photographs, X4):
        assert detail.fits and detail.distance <= 1.0


@pytest.mark.parametrize("name", OTHERS)
def test_others_do_not(photographs, name):
    details = details_of(photographs, OTHERS[name])
    assert sum(detail.fits for detail in details) <= 1
    is_finer = name == "every fourth pixel"
    assert all((detail.excess > 0) == is_finer for detail in details)


@pytest.mark.parametrize("kernel", [flat(7), gaussian(9, 2.0)], ids=["flat", "gaussian"])
def test_an_image_of_the_very_spectrum_has_no_excess(kernel):
    """Drawn at random, and scaled down by the operators, which are the oracle."""
    frequency = np.hypot(np.fft.fftfreq(1024)[:, None], np.fft.rfftfreq(1024))
    amplitude = (frequency**2 + KNEE**2) ** (-Spectrum().exponent / 2)
    white = np.random.default_rng(0).standard_normal((1024, 1024))
    image = np.fft.irfft2(np.fft.rfft2(white) * amplitude, white.shape)
    image = (0.5 + 0.1 * image / image.std())[np.newaxis, ..., np.newaxis].astype(np.float32)
    measured = Compose(Blur(kernel), Downsampling(4))(image).numpy()
    assert abs(fine_detail(measured[0], kernel, 4, 0.0).excess) < 0.15


def test_noise_that_is_known_is_no_detail(photographs):
    measured = build_operator(X4)(photographs[0][np.newaxis]).numpy()[0]
    noisy = measured + np.random.default_rng(0).normal(0.0, 0.05, measured.shape)
    clean = fine_detail(measured, flat(7), 4, 0.0).excess
    known, unknown = (fine_detail(noisy, flat(7), 4, sigma).excess for sigma in (0.05, 0.0))
    assert abs(known - clean) < 0.5 < 1.0 < unknown - clean


def test_what_cannot_be_told():
    assert fine_detail(np.random.default_rng(0).random((31, 64, 3)), flat(7), 4, 0.0) is None
    assert fine_detail(np.full((64, 64, 3), 0.5), flat(7), 4, 0.0) is None


def test_the_power_law_is_that_of_the_closed_form():
    assert Spectrum().exponent == module.EXPONENT and KNEE == module.KNEE


def test_a_degradation_of_another_scale_looks_at_it(photographs):
    known = Degradation.of(X4, NoiseConfig(), flat(7))
    for config, fits in ((X4, True), (OTHERS["every fourth pixel"], False)):
        image = photographs[0]
        measured = build_operator(config)(image[np.newaxis]).numpy()[0]
        restored = solve(measured[np.newaxis], flat(7), 1e-5, Spectrum(), scale=4, phase=2)
        fit = known.fit(measured, restored.numpy()[0])
        assert fit.residual < fit.explained  # there is an image of almost any measurement
        assert fit.fits == fits
    assert str(fit).startswith("its fine detail is")
