import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from inversenet_tf.imaging.config import REDUCING, OperatorConfig
from inversenet_tf.imaging.physics import operators


def generator():
    return np.random.default_rng(0)


ALL = {
    "identity": operators.Identity(),
    "circular": operators.Blur(generator().random((9, 9))),
    "circular, even, oblong": operators.Blur(generator().random((4, 7))),
    "circular, one kernel a channel": operators.Blur(generator().random((5, 5, 3))),
    "reflect": operators.Blur(generator().random((9, 9)), "reflect"),
    "reflect, even": operators.Blur(generator().random((6, 6)), "reflect"),
    "downsampling by 2": operators.Downsampling(2),
    "downsampling by 4": operators.Downsampling(4),
    "spectral mean": operators.SpectralMean(),
    "downsampling": operators.Compose(
        operators.Blur(generator().random((7, 7))), operators.Downsampling(4)
    ),
    "joint": operators.Compose(
        operators.Blur(generator().random((9, 9, 3)), "reflect"),
        operators.Downsampling(2),
        operators.SpectralMean(),
    ),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(16, 16, 3), (11, 20, 3), (12, 20, 3)])
def test_adjoint_dot_product(name, shape):
    """<A x, y> = <x, A^T y> for every operator."""
    operator = ALL[name]
    if shape[0] % operator.scale:
        pytest.skip("not a multiple of the scale")
    x = generator().normal(size=(2, *shape)).astype(np.float32)
    y = generator().normal(size=(2, *operator.measurement_shape(shape))).astype(np.float32)
    forward = np.vdot(operator(x), y)
    backward = np.vdot(x, operator.adjoint(y, shape))
    assert forward == pytest.approx(backward, rel=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_runs_inside_tf_data_as_eagerly(name):
    images = generator().random((2, 16, 16, 3)).astype(np.float32)
    mapped = tf.data.Dataset.from_tensors(images).map(ALL[name]).get_single_element()
    np.testing.assert_allclose(mapped, ALL[name](tf.constant(images)), atol=1e-6)


@pytest.mark.parametrize("shape", [(9, 9), (4, 7)])
@pytest.mark.parametrize(("boundary", "mode"), [("circular", "wrap"), ("reflect", "mirror")])
def test_blur_is_the_convolution_of_scipy(shape, boundary, mode):
    kernel = generator().random(shape)
    image = generator().random((16, 18)).astype(np.float32)
    blurred = operators.Blur(kernel, boundary)(image[None, ..., None])[0, ..., 0]
    expected = scipy.ndimage.convolve(image, kernel, mode=mode)
    np.testing.assert_allclose(blurred, expected, rtol=1e-4)


def test_circular_blur_is_a_product_of_spectra():
    """The BCCB matrix of Appendix D.1 is diagonal in Fourier space."""
    kernel = generator().random((5, 5)).astype(np.float32)
    image = generator().random((16, 16)).astype(np.float32)
    spread = np.zeros((16, 16))
    spread[:5, :5] = kernel
    transfer = np.fft.fft2(np.roll(spread, (-2, -2), (0, 1)))
    expected = np.fft.ifft2(transfer * np.fft.fft2(image)).real
    blurred = operators.Blur(kernel)(image[None, ..., None])[0, ..., 0]
    np.testing.assert_allclose(blurred, expected, rtol=1e-4)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downsampling_is_scipys_convolution_sampled_at_the_phase(scale):
    """A = S H of Appendix D.2."""
    kernel = generator().random((7, 7))
    image = generator().random((24, 36)).astype(np.float32)
    operator = operators.Compose(operators.Blur(kernel), operators.Downsampling(scale))
    blurred = scipy.ndimage.convolve(image, kernel, mode="wrap")
    assert (operator.scale, operator.phase) == (scale, scale // 2)
    assert operator.measurement_shape((24, 36, 1)) == (24 // scale, 36 // scale, 1)
    np.testing.assert_array_equal(operator.kernel, kernel.astype(np.float32))
    np.testing.assert_allclose(
        operator(image[None, ..., None])[0, ..., 0],
        blurred[scale // 2 :: scale, scale // 2 :: scale],
        rtol=1e-4,
    )


def test_joint_is_the_mean_of_three_convolutions():
    """A = L S H of Appendix D.3."""
    kernel = generator().random((9, 9, 3))
    image = generator().random((16, 20, 3)).astype(np.float32)
    operator = operators.Compose(
        operators.Blur(kernel), operators.Downsampling(2), operators.SpectralMean()
    )
    bands = [scipy.ndimage.convolve(image[..., c], kernel[..., c], mode="wrap") for c in range(3)]
    measured = operator(image[None])
    assert measured.shape == (1, *operator.measurement_shape((16, 20, 3))) == (1, 8, 10, 1)
    np.testing.assert_allclose(measured[0, ..., 0], np.mean(bands, 0)[1::2, 1::2], rtol=1e-4)


def test_a_composition_applies_its_parts_in_order():
    twice = operators.Compose(operators.Downsampling(2), operators.Downsampling(3))
    assert (twice.scale, twice.phase, twice.kernel) == (6, 1 + 2 * 1, None)
    image = generator().random((1, 12, 18, 3)).astype(np.float32)
    np.testing.assert_array_equal(twice(image), image[:, 3::6, 3::6])
    nothing = operators.Compose()
    assert nothing.measurement_shape((5, 7, 3)) == (5, 7, 3)
    np.testing.assert_array_equal(nothing(image), image)


def test_impossible_downsamplings_are_refused():
    with pytest.raises(ValueError, match=r"multiples of the scale 4. Received: \(16, 18\)"):
        operators.Downsampling(4).validate((16, 18, 3))
    with pytest.raises(ValueError, match="Expected scale >= 1. Received: 0"):
        operators.Downsampling(0)
    composed = operators.Compose(operators.Downsampling(2), operators.Blur(np.ones((9, 9))))
    composed.validate((18, 18, 3))
    with pytest.raises(ValueError, match=r"image \(8, 8\)"):
        composed.validate((16, 16, 3))


def test_impossible_blurs_are_refused():
    with pytest.raises(ValueError, match="no larger than the image"):
        operators.Blur(np.ones((9, 9))).validate((8, 16, 3))
    with pytest.raises(ValueError, match="one kernel per channel"):
        operators.Blur(np.ones((3, 3, 3))).validate((8, 8, 1))
    with pytest.raises(ValueError, match="boundary"):
        operators.Blur(np.ones((3, 3)), "zero")


@pytest.mark.parametrize(
    "kernel",
    [
        np.ones(3),
        np.ones((3, 3, 3, 1)),
        np.ones((0, 3)),
        np.full((3, 3), np.nan),
        np.full((3, 3), 1j),
        [["a"]],
    ],
    ids=["a row", "four axes", "empty", "NaN", "complex", "text"],
)
def test_what_is_no_kernel_is_refused(kernel):
    with pytest.raises(ValueError, match="Expected a kernel .height, width.* Received: "):
        operators.Blur(kernel)


def test_a_blur_refuses_images_of_other_channels_than_its_kernel():
    blur = operators.Blur(np.ones((3, 3, 2)))
    assert blur(np.ones((1, 4, 4, 2), np.float32)).shape == (1, 4, 4, 2)
    with pytest.raises(ValueError, match="one kernel per channel. Received: 2 kernels, 3 channels"):
        blur(np.ones((1, 4, 4, 3), np.float32))


@pytest.mark.parametrize("name", operators.OPERATORS)
def test_every_named_operator_is_built_from_its_config(name):
    config = OperatorConfig(name=name, scale=2 if name in REDUCING else 1)
    config.validate()
    operator = operators.build_operator(config)
    expected = (12 // config.scale, 12 // config.scale, config.measured_channels(3))
    assert operator.measurement_shape((12, 12, 3)) == expected
    assert operator(np.zeros((1, 12, 12, 3), np.float32)).shape == (1, *expected)


@pytest.mark.parametrize(("name", "scale"), [("blur", 2), ("joint", 1), ("downsampling", 0)])
def test_scales_that_an_operator_does_not_have_are_refused(name, scale):
    with pytest.raises(ValueError, match=f"operator.scale.*Received: {scale} for '{name}'"):
        OperatorConfig(name=name, scale=scale).validate()


@pytest.mark.parametrize("fields", [{"name": "custom"}, {"kernel": "given"}])
def test_no_config_describes_an_operator_of_the_callers_own(fields):
    with pytest.raises(ValueError, match="the caller's own, which must be passed as operator="):
        operators.build_operator(OperatorConfig(**fields))
