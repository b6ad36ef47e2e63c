import numpy as np
import pytest
import scipy.ndimage

from inversenet_tf.imaging.baselines.total_variation import default_weight, tv_l1
from inversenet_tf.imaging.baselines.wiener import wiener
from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.imaging.physics.kernels import chromatic, linear_motion
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import Blur

KERNEL = linear_motion(7)


@pytest.fixture
def blocks():
    """Two images of flat random rectangles: [2, 48, 40, 3]."""
    values = np.random.default_rng(0).uniform(0.1, 0.9, (2, 4, 5, 3)).astype(np.float32)
    return values.repeat(12, axis=1).repeat(8, axis=2)


def score(estimates, images):
    return float(np.mean(psnr(estimates, images, MetricProfile())))


def with_outliers(measurements, share=0.05):
    """Salt and pepper on that share of the values."""
    generator = np.random.default_rng(1)
    struck = generator.random(measurements.shape) < share
    return np.where(struck, generator.integers(0, 2, measurements.shape), measurements)


def objective(images, measurements, weight):
    """Written with SciPy's convolution: ||k * x - y||_1 + weight TV(x)."""
    blurred = scipy.ndimage.convolve(images, KERNEL[None, :, :, None], mode="wrap")
    rows = np.diff(images, axis=1, append=images[:, :1])
    columns = np.diff(images, axis=2, append=images[:, :, :1])
    return np.abs(blurred - measurements).sum() + weight * np.hypot(rows, columns).sum()


def test_flat_regions_are_recovered(blocks):
    measurements = round_to_8_bits(Blur(KERNEL)(blocks)).numpy()
    restored = tv_l1(measurements, KERNEL)
    assert restored.shape == blocks.shape and restored.dtype == np.float32
    assert restored.min() >= 0 and restored.max() <= 1
    assert score(restored, blocks) > score(measurements, blocks) + 15
    assert score(restored, blocks) > score(wiener(measurements, KERNEL), blocks) + 3


def test_outliers_upset_wiener_alone(blocks):
    measurements = with_outliers(Blur(KERNEL)(blocks).numpy()).astype(np.float32)
    struck = score(measurements, blocks)
    best_baseline = max(score(wiener(measurements, KERNEL, s), blocks) for s in (0.01, 0.1, 0.3, 1))
    restored = score(tv_l1(measurements, KERNEL, weight=0.05), blocks)
    assert restored > struck + 10
    assert restored > best_baseline + 5


def test_the_objective_falls_with_the_iterations(blocks):
    measurements = with_outliers(Blur(KERNEL)(blocks).numpy()).astype(np.float32)
    estimates = [measurements] + [tv_l1(measurements, KERNEL, 0.05, n) for n in (2, 10, 50)]
    values = [objective(images, measurements, 0.05) for images in estimates]
    assert values == sorted(values, reverse=True)
    # The least value is at most that of the images themselves.
    assert values[-1] < 1.05 * objective(blocks, measurements, 0.05)


def test_images_are_restored_each_by_itself(blocks):
    measurements = Blur(KERNEL)(blocks).numpy()
    alone = tv_l1(measurements[1:], KERNEL)
    np.testing.assert_allclose(tv_l1(measurements, KERNEL)[1:], alone, atol=1e-5)


def test_a_kernel_for_each_channel(blocks):
    kernel = chromatic(7, sigma=1.5)
    measurements = Blur(kernel)(blocks).numpy()
    restored = tv_l1(measurements, kernel)
    assert score(restored, blocks) > score(measurements, blocks) + 5
    red = tv_l1(measurements[..., :1], kernel[..., 0])
    np.testing.assert_allclose(restored[..., :1], red, atol=1e-5)


def test_the_weight_grows_with_the_noise():
    weights = [default_weight(sigma) for sigma in (0.0, 0.01, 0.02)]
    assert weights == sorted(weights)
    assert weights[2] == pytest.approx(2 * weights[1], rel=0.02)
    assert weights[0] == pytest.approx(3.5 / np.sqrt(12) / 255)


@pytest.mark.parametrize("arguments", [{"weight": 0.0}, {"weight": np.nan}, {"iterations": 0}])
def test_impossible_arguments_are_refused(blocks, arguments):
    with pytest.raises(ValueError, match="Expected weight > 0 and iterations >= 1. Received:"):
        tv_l1(blocks, KERNEL, **arguments)


def test_a_kernel_larger_than_the_images_is_refused(blocks):
    with pytest.raises(ValueError, match="no larger than the images"):
        tv_l1(blocks, np.full((9, 41), 1 / 369))
