"""Kernels found from blurred images alone."""

import numpy as np
import pytest
import skimage.data

from inversenet_tf.imaging.physics import kernel_estimation
from inversenet_tf.imaging.physics.blur_model import Measured, correlations, gradients_of
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernel_least_squares import non_negative_least_squares
from inversenet_tf.imaging.physics.kernel_search import Answer, _agreement, independent_searches
from inversenet_tf.imaging.physics.kernels import gaussian, linear_motion
from inversenet_tf.imaging.physics.marginal_likelihood import marginal_cost
from inversenet_tf.imaging.physics.varied import blur_each

KERNEL = linear_motion(9, 45.0)
MARGIN = 8


def measured(image, kernel=KERNEL, noise=0.01, boundary="circular"):
    """A blurred, noisy photograph of 8 bits."""
    blurred = blur_each(image[np.newaxis].astype(np.float32), kernel[np.newaxis], boundary)[0]
    noisy = blurred + noise * np.random.default_rng(0).normal(size=image.shape)
    return np.round(np.clip(noisy, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photograph():
    return skimage.data.astronaut()[:160, 140:300] / 255


@pytest.fixture(scope="module")
def of_camera(photograph):
    """The estimate for a photograph of which nothing is known beyond the frame."""
    blurred = measured(photograph)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    heard = []
    return estimate_kernel(blurred, progress=heard.append), heard


def similarity(kernel, truth):
    """The greatest normalised correlation over all shifts."""
    side = kernel.shape[0] + truth.shape[0]
    spectra = [np.fft.rfft2(k / np.linalg.norm(k), (side, side)) for k in (kernel, truth)]
    return np.fft.irfft2(spectra[0] * spectra[1].conj(), (side, side)).max()


def test_finds_the_kernel_of_a_photograph(of_camera):
    estimate, _ = of_camera
    assert similarity(estimate.kernel, KERNEL) > 0.85
    assert estimate.is_blur and estimate.confidence > 0.7 and not estimate.reason


def test_finds_the_noise(of_camera):
    assert of_camera[0].noise == pytest.approx(0.01, rel=0.15)


def test_kernel_is_one_of_a_blur(of_camera):
    kernel = of_camera[0].kernel
    assert kernel.dtype == np.float32 and kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1 and kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert abs(kernel.sum(0) @ places) <= 0.75 and abs(kernel.sum(1) @ places) <= 0.75


def test_plausible_kernels_lie_upon_the_estimate(of_camera):
    estimate, _ = of_camera
    first, *others = estimate.plausible
    reach = (len(first) - len(estimate.kernel)) // 2
    np.testing.assert_array_equal(first, np.pad(estimate.kernel, reach))
    np.testing.assert_allclose(estimate.plausible.sum((1, 2)), 1.0, atol=1e-5)
    assert others and 0 < estimate.spread < 2
    for other in others:
        moved = [np.roll(other, shift, (0, 1)) for shift in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        assert all((first * other).sum() >= (first * one).sum() - 1e-6 for one in moved)


def test_progress_rises_to_one(of_camera):
    heard = of_camera[1]
    assert heard == sorted(heard) and len(heard) > 3 and heard[-1] == 1.0


@pytest.mark.filterwarnings("error")
def test_edges_beyond_the_frame_tell_nothing():
    images = np.zeros((1, 32, 32), np.float32)
    images[:, 16:] = 0.8
    for kernel in independent_searches(Measured(images, np.zeros((32, 32)), 0.01), 9):
        assert np.isfinite(kernel).all() and kernel.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("agreement", "confidence"), [(0.65, 0.0), (0.85, 0.5), (1.0, 1.0)])
def test_confidence_falls_where_searches_differ(monkeypatch, photograph, agreement, confidence):
    answer = Answer([linear_motion(9).astype(np.float64)], 0.2, agreement, 0.01, local_gain=0.2)
    monkeypatch.setattr(kernel_estimation, "search_kernel", lambda *arguments: answer)
    monkeypatch.setattr(kernel_estimation, "second_opinion", lambda *arguments: answer)
    assert estimate_kernel(photograph).confidence == pytest.approx(confidence)


def test_a_photograph_that_few_patches_fit_into_is_searched_once_more(monkeypatch, photograph):
    first = Answer([linear_motion(9).astype(np.float64)], 0.2, 0.9, 0.01)
    further, compared = gaussian(9, 2.0).astype(np.float64), []

    def compare(measured, answer):
        compared.append((measured.window.size, len(answer.candidates)))
        return answer

    monkeypatch.setattr(kernel_estimation, "search_kernel", lambda *arguments: first)
    monkeypatch.setattr(kernel_estimation, "independent_searches", lambda *arguments: [further])
    monkeypatch.setattr(kernel_estimation, "second_opinion", compare)
    estimate_kernel(photograph)  # of 160 pixels a side, all in one patch
    estimate_kernel(np.tile(photograph, (2, 2, 1)))
    estimate_kernel(np.tile(photograph, (5, 5, 1)))  # four patches are as much as is looked at
    estimate_kernel([np.tile(photograph, (2, 2, 1))] * 2)
    (small, *_), (large, *_), _, _ = compared
    assert large > 3 * small and [count for _, count in compared] == [0, 1, 0, 0]


def test_images_that_share_a_blur_determine_it_together():
    rng = np.random.default_rng(0)
    scene = skimage.data.astronaut() / 255
    corners = rng.integers(0, 512 - 64, (8, 2))
    batch = np.stack([measured(scene[t : t + 64, c : c + 64]) for t, c in corners])
    estimate = estimate_kernel(batch, "circular", largest=15)
    assert similarity(estimate.kernel, KERNEL) > 0.8


def test_sharp_photograph_keeps_its_point(photograph):
    estimate = estimate_kernel(photograph, largest=15)
    assert estimate.kernel.tolist() == [[1.0]] and not estimate.is_blur
    assert estimate.confidence == 0.0 and "sharp" in estimate.reason


@pytest.mark.parametrize("level", [0.5, 1.0], ids=["flat", "overexposed"])
def test_what_shows_nothing_is_left_as_it_is(level):
    noisy = level + 0.01 * np.random.default_rng(0).normal(size=(64, 64, 3))
    estimate = estimate_kernel(np.clip(noisy, 0, 1))
    assert not estimate.is_blur and "shows the blur" in estimate.reason


@pytest.mark.parametrize("boundary", ["camera", "circular"])
@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3)])
@pytest.mark.parametrize("level", [0.0, 0.3, 0.5])
def test_an_image_of_one_colour_shows_nothing(level, shape, boundary):
    estimate = estimate_kernel(np.full(shape, level), boundary)
    assert not estimate.is_blur and "shows the blur" in estimate.reason
    assert estimate.noise == pytest.approx(1 / 255 / 12**0.5)


def test_flat_images_beside_others_are_left_out(monkeypatch, photograph):
    searched = []

    def search(measured, *_):
        searched.append(measured)
        return Answer([np.ones((1, 1))], 0.0, 1.0, noise=measured.noise)

    monkeypatch.setattr(kernel_estimation, "search_kernel", search)
    images = [np.full(photograph.shape, 0.3), photograph]
    assert np.isfinite(estimate_kernel(images, "circular").noise)
    assert len(searched[0].images) == 1


def test_likelihood_prefers_the_true_kernel(photograph):
    images = Measured.of(photograph[np.newaxis].mean(-1), circular=True, noise=0.006)
    blurred = Measured.of(
        measured(photograph).mean(-1)[np.newaxis] / 255, circular=True, noise=0.006
    )
    point = np.zeros((9, 9))
    point[4, 4] = 1.0
    assert marginal_cost(blurred, KERNEL) < marginal_cost(blurred, point)
    assert marginal_cost(images, point) < marginal_cost(images, KERNEL)


def test_least_squares_find_a_kernel_from_sharp_gradients(photograph):
    sharp = Measured.of(photograph[np.newaxis].mean(-1), circular=True, noise=0.001)
    blurred = blur_each(photograph[np.newaxis].astype(np.float32), KERNEL[np.newaxis])
    blurred = Measured.of(blurred.numpy().mean(-1), circular=True, noise=0.001)
    gradients = gradients_of(sharp.images)
    autocorrelation, target = correlations(blurred, gradients, 9)
    start = np.full((9, 9), 1 / 81)
    solution = non_negative_least_squares(autocorrelation, target, start, steps=1000)
    np.testing.assert_allclose(solution, KERNEL, atol=0.01)


@pytest.mark.parametrize(
    ("images", "settings", "message"),
    [
        (np.zeros((16, 64, 3)), {}, "32 pixels"),
        (np.zeros((64, 64, 2)), {}, "channels"),
        (np.full((64, 64), 255.0), {}, r"\[0, 1\]"),
        (np.full((64, 64), np.nan), {}, "finite"),
        (np.zeros((64, 64)), {"boundary": "valid"}, "boundary"),
        (np.zeros((64, 64)), {"largest": 44}, "at most 43 pixels"),
        ([], {}, "at least one"),
        ([np.zeros((64, 64)), np.zeros((32, 64))], {"boundary": "circular"}, "one size"),
    ],
)
def test_bad_input_is_refused(images, settings, message):
    with pytest.raises(ValueError, match=message):
        estimate_kernel(images, **settings)


def test_agreement_is_that_of_a_second_search():
    bent, other = np.eye(9), np.fliplr(np.eye(9))
    assert _agreement(bent, [gaussian(9, 1.0)] * 3, [bent, bent, other, other]) > 0.99
    assert _agreement(bent, [gaussian(9, 1.0)] * 3, [bent, other, other]) < 0.6
    shapes = [gaussian(9, sigma) for sigma in (1.5, 1.6, 1.7)]
    assert _agreement(gaussian(9, 1.6), shapes, [bent, other]) > 0.9


@pytest.mark.parametrize(
    ("agreement", "kernel", "local_gain", "is_blur"),
    [
        (0.0, linear_motion(9), 0.2, True),
        (0.0, linear_motion(9), 0.03, False),
        (0.0, gaussian(9, 0.7), 0.2, False),
        (0.95, linear_motion(9), 0.2, False),
    ],
)
def test_a_clear_second_judgement_overrules_that_there_is_no_blur(
    monkeypatch, photograph, agreement, kernel, local_gain, is_blur
):
    none = Answer([np.ones((1, 1))], gain=0.0, agreement=agreement, noise=0.01)
    second = Answer([kernel.astype(np.float64)], 0.0, 1.0, 0.01, local_gain=local_gain)
    monkeypatch.setattr(kernel_estimation, "search_kernel", lambda *arguments: none)
    monkeypatch.setattr(kernel_estimation, "second_opinion", lambda *arguments: second)
    estimate = estimate_kernel(photograph)
    assert estimate.is_blur == is_blur and bool(estimate.reason) != is_blur
    assert (estimate.confidence > 0.9) == is_blur
