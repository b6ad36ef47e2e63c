import numpy as np
import pytest
import skimage.restoration

from inversenet_tf.imaging.baselines.wiener import LAPLACIAN_VARIANCE, wiener
from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.imaging.physics.kernels import chromatic, linear_motion
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import Blur


@pytest.mark.parametrize("noise_sigma", [0.0, 0.02])
def test_wiener_is_the_quotient_of_spectra(images, noise_sigma):
    """Against conj(H) / (|H|^2 + balance |L|^2), with L the Laplacian, written with NumPy's FFT."""
    kernel = linear_motion(5)
    measurements = Blur(kernel)(images).numpy()
    size = images.shape[1]

    def transfer(values):
        spread = np.zeros((size, size))
        spread[: len(values), : len(values)] = values
        return np.fft.fft2(np.roll(spread, (-(len(values) // 2),) * 2, (0, 1)))

    laplacian = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    balance = (1 / 12 / 255**2 + noise_sigma**2) / LAPLACIAN_VARIANCE
    h = transfer(kernel)[..., None]
    power = np.abs(h) ** 2 + balance * np.abs(transfer(laplacian)[..., None]) ** 2
    spectra = np.fft.fft2(measurements, axes=(1, 2))
    expected = np.fft.ifft2(np.conj(h) * spectra / power, axes=(1, 2)).real
    restored = wiener(measurements, kernel, noise_sigma)
    np.testing.assert_allclose(restored, np.clip(expected, 0, 1), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_wiener_is_that_of_scikit_image(images, channels):
    kernel = chromatic(5) if channels == 3 else linear_motion(5)
    measurements = Blur(kernel)(images[:1]).numpy()
    restored = wiener(measurements, kernel, balance=1e-3)
    for channel in range(3):
        of_channel = kernel[..., channel] if channels == 3 else kernel
        expected = skimage.restoration.wiener(
            measurements[0, ..., channel], of_channel, 1e-3, clip=False
        )
        np.testing.assert_allclose(restored[0, ..., channel], np.clip(expected, 0, 1), atol=1e-4)


def test_wiener_improves_a_blurred_image(images):
    kernel = linear_motion(5)
    measurements = round_to_8_bits(Blur(kernel)(images)).numpy()
    gain = psnr(wiener(measurements, kernel), images, MetricProfile()) - psnr(
        measurements, images, MetricProfile()
    )
    assert np.min(gain) > 3
