"""Against the formula with dense matrices, written with NumPy alone."""

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from dense_model import dense_model

from inversenet_tf.imaging.metrics import psnr
from inversenet_tf.imaging.physics.borders import extended_periodically, unseen
from inversenet_tf.imaging.physics.deconvolution import GOOD_SIZES
from inversenet_tf.imaging.physics.kernels import chromatic, gaussian, linear_motion
from inversenet_tf.imaging.physics.noise import ROUNDING_VARIANCE, round_to_8_bits
from inversenet_tf.imaging.physics.operators import Blur, Compose, Downsampling, SpectralMean
from inversenet_tf.imaging.physics.solvers import (
    LADDER,
    expected_error,
    solve,
    solve_at,
    solve_without_border,
)
from inversenet_tf.imaging.physics.spectra import Spectrum, fit_spectrum

COVARIANCE = ((1.2, 0.9, 0.7), (0.9, 1.0, 0.8), (0.7, 0.8, 0.8))
COLOURS = Spectrum(2e-3, 1.0, (0.4, 0.5, 0.6), COVARIANCE)
UNCORRELATED = Spectrum(2e-3, 1.0, (0.4, 0.5, 0.6), ((1.2, 0, 0), (0, 1.0, 0), (0, 0, 0.8)))
EVEN = np.random.default_rng(5).random((4, 2)).astype(np.float32) / 8
NOISE = 1e-3

CASES = {
    "blur": (Blur(linear_motion(3)), COLOURS, (8, 8), {}),
    "odd sides": (Blur(linear_motion(3)), COLOURS, (7, 9), {}),
    "even kernel, sum not one": (Blur(EVEN), COLOURS, (7, 9), {}),
    "a kernel a channel": (Blur(chromatic(3)), UNCORRELATED, (7, 9), {}),
    "downsampling": (
        Compose(Blur(gaussian(3)), Downsampling(2)),
        UNCORRELATED,
        (8, 6),
        {"scale": 2, "phase": 1},
    ),
    "joint": (
        Compose(Blur(chromatic(3)), Downsampling(2), SpectralMean()),
        COLOURS,
        (8, 6),
        {"scale": 2, "phase": 1, "to_gray": True},
    ),
}


def dense(operator, spectrum, size, measurements):
    """mu + S A^T (A S A^T + sigma^2)^-1 (y - A mu), with S circulant between pixels."""
    shape = (*size, 3)
    matrix, prior = dense_model(operator, spectrum, size)
    mean = np.tile(spectrum.mean, size[0] * size[1])
    inverse = np.linalg.inv(matrix @ prior @ matrix.T + NOISE * np.eye(len(matrix)))
    residual = measurements.reshape(-1) - matrix @ mean
    return (mean + prior @ matrix.T @ inverse @ residual).reshape(shape)


@pytest.mark.parametrize("case", CASES)
def test_the_closed_form_is_that_of_dense_matrices(case):
    operator, spectrum, size, settings = CASES[case]
    images = np.random.default_rng(0).random((2, *size, 3)).astype(np.float32)
    measurements = operator(images).numpy()
    solved = tf.function(lambda y: solve(y, operator.kernel, NOISE, spectrum, **settings))
    for measured, estimate in zip(measurements, solved(measurements).numpy(), strict=True):
        expected = dense(operator, spectrum, size, measured)
        np.testing.assert_allclose(estimate, expected, atol=1e-5)


@pytest.mark.parametrize("case", ["blur", "odd sides", "downsampling", "joint"])
def test_the_expected_error_is_that_of_dense_matrices(case):
    operator, spectrum, size, settings = CASES[case]
    matrix, prior = dense_model(operator, spectrum, size)
    explained = (
        prior @ matrix.T @ np.linalg.inv(matrix @ prior @ matrix.T + NOISE * np.eye(len(matrix)))
    )
    posterior = prior - explained @ matrix @ prior
    expected = np.sqrt(np.trace(posterior) / len(posterior))
    error = expected_error(operator.kernel, NOISE, spectrum, size, **settings)
    np.testing.assert_allclose(error.numpy(), [expected], rtol=1e-5)


def test_the_unseen_share_is_that_of_a_matrix():
    """Of a kernel that is not symmetric, and of one larger than the frame in one direction."""
    generator = np.random.default_rng(0)
    for sides, size in (((5, 3), (7, 9)), ((4, 9), (6, 5))):
        kernel = generator.random(sides).astype(np.float32)
        kernel /= kernel.sum()
        seen = np.zeros(size)
        for row, column in np.ndindex(size):
            for i, j in np.ndindex(sides):
                there = row + i - sides[0] // 2, column + j - sides[1] // 2
                if 0 <= there[0] < size[0] and 0 <= there[1] < size[1]:
                    seen[row, column] += kernel[i, j]
        share = unseen(kernel, tf.constant(size))[0, ..., 0]
        np.testing.assert_allclose(share, 1 - seen, atol=1e-6)


def test_each_image_of_a_batch_may_have_a_kernel_and_noise_of_its_own():
    measurements = np.random.default_rng(0).random((2, 9, 8, 3)).astype(np.float32)
    kernels = np.stack([linear_motion(5, 0.0), gaussian(5)])[..., np.newaxis]
    noise = np.array([1e-4, 1e-2], np.float32)
    together = solve(measurements, kernels, noise, COLOURS)
    for index in range(2):
        alone = solve(measurements[index][None], kernels[index], noise[index], COLOURS)
        np.testing.assert_allclose(together[index], alone[0], atol=1e-5)


@pytest.mark.parametrize("case", ["blur", "a kernel a channel", "downsampling"])
def test_several_noise_levels_share_what_does_not_depend_on_them(case):
    operator, spectrum, size, settings = CASES[case]
    measurements = operator(np.random.default_rng(0).random((1, *size, 3)).astype(np.float32))
    factors = (1.0, 30.0)
    together = solve_at(measurements, operator.kernel, NOISE, spectrum, factors, **settings)
    for factor, estimate in zip(factors, together, strict=True):
        alone = solve(measurements, operator.kernel, factor * NOISE, spectrum, **settings)
        np.testing.assert_allclose(estimate, alone, atol=1e-5)


def test_it_can_be_differentiated_by_the_kernel():
    kernel = tf.constant(gaussian(5))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = tf.reduce_sum(solve(tf.ones((1, 9, 8, 1)), kernel, NOISE, Spectrum()) ** 2)
    assert np.isfinite(tape.gradient(loss, kernel)).all()


def test_a_fitted_spectrum_restores_a_photograph_better_than_any_guess():
    photograph = skimage.data.chelsea()[:192, :256].astype(np.float32)[None] / 255
    other = skimage.data.coffee().astype(np.float32) / 255
    fitted = fit_spectrum([other])
    blur = Blur(linear_motion(9))
    measured = round_to_8_bits(blur(photograph))
    gains = {
        name: float(psnr(solve(measured, blur.kernel, variance, spectrum), photograph)[0])
        for name, spectrum, variance in (
            ("fitted", fitted, ROUNDING_VARIANCE),
            ("white", Spectrum(0.1, 0.0), ROUNDING_VARIANCE),
            ("too smooth", fitted, 1e3 * ROUNDING_VARIANCE),
        )
    }
    assert gains["fitted"] > max(gains["white"], gains["too smooth"]) + 1.0
    assert gains["fitted"] > float(psnr(measured, photograph)[0]) + 6.0


def test_the_covariance_of_the_channels_helps():
    """Restoring gains from knowing that the channels move together."""
    photograph = skimage.data.chelsea()[:128, :128].astype(np.float32)[None] / 255
    spectrum = fit_spectrum([skimage.data.coffee().astype(np.float32) / 255])
    alone = Spectrum(
        spectrum.amplitude, spectrum.exponent, spectrum.mean, tuple(np.eye(3).tolist())
    )
    blur = Blur(linear_motion(9))
    measured = blur(photograph) + tf.random.stateless_normal(photograph.shape, [0, 1], 0, 0.02)
    together, apart = (
        float(psnr(solve(measured, blur.kernel, 4e-4, s), photograph)[0]) for s in (spectrum, alone)
    )
    assert together > apart + 0.3


def test_an_unknown_border_does_not_ring():
    """Of a photograph larger than the frame, so that nothing is known beyond it."""
    photograph = skimage.data.chelsea()[:200, :260].astype(np.float32)[None] / 255
    blur = Blur(linear_motion(9))
    frame = (slice(None), slice(20, -20), slice(20, -20))
    measured = round_to_8_bits(blur(photograph))[frame]
    spectrum = fit_spectrum([photograph[0]])
    plain = solve(measured, blur.kernel, ROUNDING_VARIANCE, spectrum)
    coarse, fine = solve_without_border(
        measured, blur.kernel, ROUNDING_VARIANCE, spectrum, factors=(10.0, 1.0)
    )
    assert fine.shape == plain.shape
    scores = [float(psnr(image, photograph[frame])[0]) for image in (measured, plain, coarse, fine)]
    assert scores[1] < scores[0] < scores[0] + 4.0 < min(scores[2:])


@pytest.mark.parametrize("kernel", [gaussian(5), chromatic(5)], ids=["one", "a channel each"])
def test_each_rung_fills_the_border_with_what_the_one_before_would_have_measured(kernel):
    """Against the ladder as it is described, in whole images, of the same beginning."""
    frame = tf.random.stateless_uniform((1, 31, 37, 3), [0, 1])
    (found,) = solve_without_border(frame, kernel, NOISE, UNCORRELATED)
    padded = extended_periodically(frame, [60 - 31, 72 - 37])  # 2 * 6 + 16 more at least
    for factor in LADDER:
        estimate = solve(padded, kernel, factor * NOISE, UNCORRELATED)
        padded = Blur(kernel)(estimate).numpy()
        padded[:, :31, :37] = frame
    np.testing.assert_allclose(found, estimate[:, :31, :37], atol=1e-4)


def test_a_rung_costs_two_transforms_and_an_estimate_one_more():
    solved = tf.function(
        lambda y: solve_without_border(y, gaussian(5), NOISE, COLOURS, (3.0, 1.0, 10.0, 30.0))
    )
    graph = solved.get_concrete_function(tf.TensorSpec((1, 97, 101, 3))).graph
    transforms = [o for o in graph.get_operations() if o.type in ("RFFT2D", "IRFFT2D")]
    rungs = len(LADDER)
    assert len(transforms) == 1 + 2 * rungs - 1 + 4
    height, width = transforms[1].outputs[0].shape[2:]
    assert {height, 2 * (width - 1)} <= set(GOOD_SIZES.tolist())
    assert all(operation.type != "FFT2D" for operation in graph.get_operations())


def test_images_that_no_spectrum_can_be_fitted_to_are_refused():
    with pytest.raises(ValueError, match="Expected images of at least 16 pixels"):
        fit_spectrum([np.zeros((8, 8, 3))])
    with pytest.raises(ValueError, match="Received: 1 of that size"):
        fit_spectrum([np.zeros((32, 32, 3))])
    with pytest.raises(ValueError, match="that vary along their rows"):
        fit_spectrum([np.full((32, 32, 3), level) for level in (0.1, 0.3, 0.7)])
