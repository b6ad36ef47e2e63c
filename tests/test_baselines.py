import numpy as np
import pytest
import scipy.ndimage

from inversenet_tf.baselines import BASELINES, baseline, usual_baselines
from inversenet_tf.config import Config
from inversenet_tf.imaging.metrics import psnr
from inversenet_tf.imaging.physics.kernels import KERNELS
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import build_operator


def configured(name="blur", scale=1, kernel="linear_motion"):
    config = Config()
    config.operator.name, config.operator.scale, config.operator.kernel = name, scale, kernel
    return config


def names(config, **options):
    baselines = usual_baselines(build_operator(config.operator), config, **options)
    shape = (1, 16, 16, config.measured_channels)
    return [name for method in baselines for name in method(np.full(shape, 0.5, np.float32))]


def scores_of(images, config):
    """Mean PSNR of every baseline for a blur, by name."""
    operator = build_operator(config.operator)
    measurements = round_to_8_bits(operator(images)).numpy()
    return {
        name: float(np.mean(psnr(method(measurements, operator, config), images, config.metrics)))
        for name, method in BASELINES.items()
    }


def test_the_degraded_image_is_the_measurement(images):
    config = configured()
    estimates = baseline("degraded", build_operator(config.operator), config)(images)
    assert list(estimates) == ["degraded"]
    np.testing.assert_array_equal(estimates["degraded"], images)


def test_who_takes_part_depends_on_the_operator():
    assert names(configured()) == ["degraded", "wiener", "lmmse"]
    assert names(configured(), is_known=False) == ["degraded"]
    assert names(configured("identity")) == ["degraded"]
    assert names(configured("downsampling", 4)) == ["bicubic", "lmmse"]
    assert names(configured("joint", 2)) == ["bicubic", "lmmse"]


def test_to_know_the_kernel_is_worth_something(images):
    scores = scores_of(images, configured())
    assert scores["wiener"] > scores["degraded"] + 5
    assert scores["tv_l1"] > scores["degraded"] + 5
    assert scores["wiener_mismatched"] < scores["wiener"] - 3


def test_wiener_mismatched_is_given_the_turned_kernel(images):
    """A measurement made with the turned kernel is the one it restores."""
    config = configured(kernel="camera_shake")
    kernel = KERNELS["camera_shake"](config.operator)
    turned = scipy.ndimage.rotate(kernel, 10, reshape=False, order=1).clip(0)
    turned /= turned.sum()
    measurements = scipy.ndimage.convolve(images, turned[None, ..., None], mode="wrap")
    operator = build_operator(config.operator)
    scores = {
        name: float(
            np.mean(psnr(BASELINES[name](measurements, operator, config), images, config.metrics))
        )
        for name in ("wiener", "wiener_mismatched")
    }
    assert scores["wiener_mismatched"] > scores["wiener"] + 3


def test_noise_makes_the_baselines_cautious(images):
    config = configured()
    operator = build_operator(config.operator)
    noisy = images + np.random.default_rng(0).normal(0, 0.05, images.shape).astype(np.float32)
    for name in ("wiener", "tv_l1"):
        config.noise.gaussian_sigma = 0.0
        bold = BASELINES[name](operator(noisy).numpy(), operator, config)
        config.noise.gaussian_sigma = 0.05
        cautious = BASELINES[name](operator(noisy).numpy(), operator, config)
        assert np.abs(np.diff(cautious, axis=1)).mean() < np.abs(np.diff(bold, axis=1)).mean()


@pytest.mark.parametrize(("name", "scale"), [("downsampling", 4), ("joint", 2)])
def test_bicubic_has_the_size_and_colours_of_the_image(images, name, scale):
    """At the pixels that the operator kept it agrees with the measurement: no shift."""
    config = configured(name, scale, "flat")
    operator = build_operator(config.operator)
    measurements = operator(images).numpy()
    upsampled = baseline("bicubic", operator, config)(measurements)["bicubic"]
    assert upsampled.shape == images.shape
    kept = upsampled[:, scale // 2 :: scale, scale // 2 :: scale]
    np.testing.assert_allclose(kept, np.broadcast_to(measurements, kept.shape), atol=1e-5)


@pytest.mark.parametrize("scale", [3, 4])
def test_what_was_scaled_down_comes_back_at_its_place(scale):
    """A new pixel is centred on its block, so a ramp comes back as it was, by both baselines."""
    ramp = np.linspace(0.2, 0.8, 24 * scale, dtype=np.float32)
    image = np.tile(ramp[np.newaxis, :, np.newaxis, np.newaxis], (1, 1, 24 * scale, 3))
    config = configured("downsampling", scale, "bicubic")
    config.operator.boundary = "reflect"
    operator = build_operator(config.operator)
    measurement = operator(image).numpy()
    inner = slice(3 * scale, -3 * scale)
    for name, tolerance in (("bicubic", 2e-4), ("lmmse", 1e-3)):  # half a pixel is 3e-3 and more
        upsampled = BASELINES[name](measurement, operator, config)
        np.testing.assert_allclose(upsampled[:, inner], image[:, inner], atol=tolerance)


def test_the_linear_optimum_sees_no_opposite_border_where_the_boundary_is_none():
    """Black above and white below: the first row stays black."""
    image = np.repeat(np.repeat([[[[0.0]], [[1.0]]]], 32, 1), 64, 2).astype(np.float32)
    config = configured("downsampling", 4, "bicubic")
    first_rows = {}
    for boundary in ("circular", "reflect"):
        config.operator.boundary = boundary
        operator = build_operator(config.operator)
        measurement = np.repeat(np.repeat([[[[0.0]], [[1.0]]]], 8, 1), 16, 2).astype(np.float32)
        estimate = BASELINES["lmmse"](measurement, operator, config)
        assert estimate.shape == image.shape
        first_rows[boundary] = estimate[0, 0].max()
    assert first_rows["reflect"] < 0.02 < 0.2 < first_rows["circular"]
