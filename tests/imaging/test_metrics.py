"""Oracle: scikit-image's PSNR and SSIM (Gaussian weights, as Wang et al. 2004)."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from inversenet_tf.imaging.metrics import (
    GREATEST_PSNR,
    MetricProfile,
    intensity_normalised,
    matched_to_sources,
    psnr,
    ssim,
)

EXACT = MetricProfile(rounding=False)


@pytest.fixture
def pair(images):
    noise = np.random.default_rng(2).normal(scale=0.05, size=images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32), images.numpy()


def skimage_ssim(estimate, image):
    return structural_similarity(
        estimate,
        image,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )


def test_psnr_and_ssim_per_image_equal_scikit_image(pair):
    estimates, images = pair
    expected = [peak_signal_noise_ratio(i, e, data_range=1.0) for e, i in zip(*pair, strict=True)]
    np.testing.assert_allclose(psnr(estimates, images, EXACT), expected, rtol=1e-5)
    expected = [skimage_ssim(e, i) for e, i in zip(*pair, strict=True)]
    np.testing.assert_allclose(ssim(estimates, images, EXACT), expected, rtol=1e-4)


def test_crop_removes_the_border(pair):
    estimates, images = pair
    spoilt = estimates.copy()
    spoilt[:, :3] = 1 - images[:, :3]
    profile = MetricProfile(crop=3, rounding=False)
    expected = psnr(estimates[:, 3:-3, 3:-3], images[:, 3:-3, 3:-3], EXACT)
    np.testing.assert_allclose(psnr(spoilt, images, profile), expected, rtol=1e-6)


def test_rounding_compares_what_files_would_hold(pair):
    _, images = pair
    quarter_level = images + 0.25 / 255
    stored = np.round(images * 255) / 255
    rounded = psnr(stored, np.clip(stored + 0.25 / 255, 0, 1).astype(np.float32), MetricProfile())
    np.testing.assert_allclose(rounded, GREATEST_PSNR)
    assert np.isfinite(psnr(images, quarter_level, EXACT)).all()


def test_luma_is_the_y_of_bt601_up_to_its_range(pair):
    estimates, images = pair
    profile = MetricProfile(channels="y", rounding=False)
    y = [(rgb2ycbcr(batch)[..., :1] - 16) / 219 for batch in pair]
    expected = psnr(y[0].astype(np.float32), y[1].astype(np.float32), EXACT)
    np.testing.assert_allclose(psnr(estimates, images, profile), expected, atol=0.02)


def test_values_outside_the_range_are_clipped(pair):
    _, images = pair
    beyond = np.where(images == 1.0, 3.0, images).astype(np.float32)
    np.testing.assert_allclose(psnr(beyond, images, EXACT), GREATEST_PSNR)


def test_the_stamp_says_how_scores_were_made():
    stamp = MetricProfile(channels="y", crop=4).stamp()
    assert stamp["channels"] == "y" and stamp["crop"] == 4 and stamp["data_range"] == 1.0
    assert stamp["luma"] == "BT.601, full range"


def test_images_smaller_than_the_window_are_refused():
    small = np.zeros((1, 10, 12, 3), np.float32)
    with pytest.raises(ValueError, match="11"):
        ssim(small, small, EXACT)


@pytest.mark.parametrize("side", [7, 8])
def test_a_crop_that_leaves_nothing_is_refused(side):
    images = np.zeros((1, side, 20, 3), np.float32)
    with pytest.raises(ValueError, match="more than 8 pixels"):
        psnr(images, images, MetricProfile(crop=4))


def test_nested_lists_are_images(pair):
    lists = [images.tolist() for images in pair]
    np.testing.assert_allclose(psnr(*lists), psnr(*pair), rtol=1e-6)


def test_luma_of_16_to_235_has_a_higher_psnr(pair):
    y = [tf.constant(rgb2ycbcr(batch)[..., :1] / 255) for batch in pair]
    of_papers = tf.image.psnr(*y, 1.0)
    ours = psnr(*pair, MetricProfile(channels="y", rounding=False))
    np.testing.assert_allclose(of_papers - ours, 1.3, atol=0.05)


@pytest.mark.parametrize("bad", [{"channels": "lab"}, {"crop": -1}])
def test_impossible_profiles_are_refused(bad):
    with pytest.raises(ValueError, match="Received"):
        MetricProfile(**bad).validate()


def test_equal_images_have_a_finite_psnr():
    blank = np.zeros((2, 16, 16, 3), np.float32)
    np.testing.assert_allclose(psnr(blank, blank), GREATEST_PSNR)
    worse = psnr(blank + 0.01, blank)
    assert np.all(worse < GREATEST_PSNR)


def test_sources_are_matched_for_the_best_sum_and_not_greedily():
    """The estimate that is nearest to the first source is the only one near the second."""
    first, second, other = np.random.default_rng(0).random((3, 24, 24, 1)).astype(np.float32)
    mixed, poor = 0.58 * first + 0.42 * second, 0.5 * first + 0.5 * other
    scores = [[float(psnr(e, s)) for e in (mixed, poor)] for s in (first, second)]
    assert scores[0][0] > scores[0][1] > scores[1][0] > scores[1][1] + 3
    estimates = np.stack([mixed, poor])[None]
    matched, _ = matched_to_sources(estimates, np.stack([first, second])[None], MetricProfile())
    expected = intensity_normalised(estimates[:, ::-1])
    np.testing.assert_allclose(matched, expected, atol=1e-6)
