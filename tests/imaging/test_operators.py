import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from inversenet_tf.imaging import operators
from inversenet_tf.imaging.config import OperatorConfig


def generator():
    return np.random.default_rng(0)


ALL = {
    "identity": operators.Identity(),
    "circular": operators.Blur(generator().random((9, 9))),
    "circular, even, oblong": operators.Blur(generator().random((4, 7))),
    "circular, one kernel a channel": operators.Blur(generator().random((5, 5, 3))),
    "reflect": operators.Blur(generator().random((9, 9)), "reflect"),
    "reflect, even": operators.Blur(generator().random((6, 6)), "reflect"),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(16, 16, 3), (11, 20, 3)])
def test_adjoint_dot_product(name, shape):
    """<A x, y> = <x, A^T y> for every operator."""
    operator = ALL[name]
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


def test_impossible_blurs_are_refused():
    with pytest.raises(ValueError, match="no larger than the image"):
        operators.Blur(np.ones((9, 9))).validate((8, 16, 3))
    with pytest.raises(ValueError, match="one kernel per channel"):
        operators.Blur(np.ones((3, 3, 3))).validate((8, 8, 1))
    with pytest.raises(ValueError, match="boundary"):
        operators.Blur(np.ones((3, 3)), "zero")


@pytest.mark.parametrize("name", operators.OPERATORS)
def test_every_named_operator_is_built_from_its_config(name):
    operator = operators.build_operator(OperatorConfig(name=name))
    assert operator(np.zeros((1, 12, 12, 3), np.float32)).shape == (1, 12, 12, 3)
