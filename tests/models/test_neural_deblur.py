"""Chakrabarti's filters against NumPy's Fourier transforms, patch by patch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.imaging.physics.kernels import gaussian
from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.neural_deblur import (
    CENTER,
    PATCH,
    STRIDE,
    NeuralDeblur,
    PatchwiseFilter,
    SpectralDescription,
    joined,
    patches_of,
    spectral_description,
)

HALF = PATCH // 2 + 1  # of the frequencies of a real patch


@pytest.fixture
def noise():
    return np.random.default_rng(0).uniform(-1, 1, (2, 40, 48, 3)).astype(np.float32)


def centers_of(patches):
    margin = (PATCH - CENTER) // 2
    return patches[..., margin : margin + CENTER, margin : margin + CENTER]


def patch_at(image, row, column):
    """The patch with the cell (row, column) in its middle: [PATCH, PATCH, channels]."""
    first = [cell * STRIDE - (PATCH - STRIDE) // 2 for cell in (row, column)]
    rows, columns = (np.arange(start, start + PATCH) for start in first)
    return image.take(rows, axis=0, mode="wrap").take(columns, axis=1, mode="wrap")


def filtered(image, filters):
    """What PatchwiseFilter should do to one image; filters [rows, columns, PATCH, HALF]."""
    hann = np.hanning(2 * CENTER + 1)[1::2]  # sampled at the pixels' centres
    window = np.outer(hann, hann)[..., None]
    result, weights = np.zeros(image.shape), np.zeros(image.shape)
    for row, column in np.ndindex(filters.shape[:2]):
        spectrum = np.fft.rfft2(patch_at(image, row, column), axes=(0, 1))
        patch = np.fft.irfft2(spectrum * filters[row, column, ..., None], (PATCH,) * 2, axes=(0, 1))
        margin = (PATCH - CENTER) // 2
        start = [cell * STRIDE - (CENTER - STRIDE) // 2 for cell in (row, column)]
        rows, columns = (np.arange(s, s + CENTER) for s in start)
        places = np.ix_(rows % image.shape[0], columns % image.shape[1])
        result[places] += window * patch[margin : margin + CENTER, margin : margin + CENTER]
        weights[places] += window
    np.testing.assert_allclose(weights, 1.0, atol=1e-6)
    return result


def test_patches_are_those_around_their_cells(noise):
    patches = patches_of(noise)
    assert patches.shape == (2, 5, 6, 3, PATCH, PATCH)
    for row, column in [(0, 0), (2, 3), (4, 5)]:
        expected = patch_at(noise[1], row, column).transpose(2, 0, 1)
        np.testing.assert_array_equal(patches[1, row, column], expected)


def test_joined_undoes_patches_of(noise):
    np.testing.assert_allclose(joined(centers_of(patches_of(noise))), noise, atol=1e-5)


def test_the_description_is_a_spectrum_of_three_bands(noise):
    patches = patches_of(noise[..., :1])[:, :, :, 0]
    description = spectral_description(patches).numpy()
    assert description.shape == (2, 5, 6, 270) == (2, 5, 6, SpectralDescription().features)
    patch = patch_at(noise[1], 2, 3)[..., 0]
    expected = []
    for side in (32, 16, 8):
        margin = (PATCH - side) // 2
        part = (patch - patch.mean())[margin : PATCH - margin, margin : PATCH - margin]
        spectrum = np.fft.fft2(part) / side
        for frequencies in ([0, 1, 2, 3, 4], [-4, -3, -2, -1]):
            values = spectrum[np.ix_(frequencies, range(5))].ravel()
            expected += [values.real, values.imag]
    np.testing.assert_allclose(description[1, 2, 3], np.concatenate(expected), atol=1e-4)


def test_the_description_is_of_the_mean_over_the_channels(noise):
    described = SpectralDescription()(noise)
    gray = SpectralDescription()(noise.mean(axis=-1, keepdims=True))
    np.testing.assert_allclose(described, gray, atol=1e-4)


def test_every_patch_has_its_own_filter(noise):
    generator = np.random.default_rng(1)
    corrections = generator.normal(0, 0.5, (2, 5, 6, 2 * PATCH * HALF)).astype(np.float32)
    outputs = PatchwiseFilter()([noise, corrections]).numpy()
    real, imaginary = np.split(corrections, 2, axis=-1)
    filters = 1 + (real + 1j * imaginary).reshape(2, 5, 6, PATCH, HALF)
    filters[..., 0, 0] = 1  # the mean of a patch is kept
    for index, image in enumerate(noise):
        np.testing.assert_allclose(outputs[index], filtered(image, filters[index]), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_starts_as_the_identity(noise, channels):
    network = NeuralDeblur(channels, width=8)
    images = noise[..., :channels]
    np.testing.assert_allclose(network(images), images, atol=1e-5)


def test_the_coefficients_of_an_inverse_filter_deblur(images):
    """The whole network, where its last layer says the same of every patch."""
    kernel = gaussian(9, sigma=0.9)
    response = np.fft.rfft2(np.roll(np.pad(kernel, (0, PATCH - 9)), (-4, -4), (0, 1)))
    inverse = np.conj(response) / (np.abs(response) ** 2 + 1e-3)
    inverse[0, 0] = 1
    network = NeuralDeblur(width=8)
    coefficients = np.concatenate([(inverse - 1).real.ravel(), (inverse - 1).imag.ravel()])
    network.get_layer("coefficients").bias.assign(coefficients)
    measurements = Blur(kernel)(images).numpy()
    restored = network(measurements).numpy()
    filters = np.broadcast_to(inverse, (4, 4, PATCH, HALF))
    np.testing.assert_allclose(restored[0], filtered(measurements[0], filters), atol=1e-4)
    profile = MetricProfile()
    gain = psnr(restored, images, profile) - psnr(measurements, images, profile)
    assert np.min(gain) > 6


def test_two_steps_move_every_weight(images):
    """The last layer starts at zero, so the others have to wait for it."""
    keras.utils.set_random_seed(0)
    network, optimizer = NeuralDeblur(width=8), keras.optimizers.SGD(1e-3)
    before = [variable.numpy() for variable in network.trainable_variables]
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((network(images * 0.8, training=True) - images) ** 2)
        gradients = tape.gradient(loss, network.trainable_variables)
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        optimizer.apply(gradients, network.trainable_variables)
    for variable, old in zip(network.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old), variable.path


def test_the_gradient_of_the_filters_is_that_of_numpy(noise):
    """The layer is linear in its corrections, so a difference quotient is exact."""
    images, layer = tf.constant(noise[:1]), PatchwiseFilter()
    generator = np.random.default_rng(2)
    shape = (1, 5, 6, 2 * PATCH * HALF)
    corrections, change = generator.normal(0, 0.1, (2, *shape)).astype(np.float32)
    target = generator.normal(size=noise[:1].shape).astype(np.float32)
    corrections = tf.constant(corrections)
    with tf.GradientTape() as tape:
        tape.watch(corrections)
        loss = tf.reduce_sum(layer([images, corrections]) * target)
    slope = np.sum(tape.gradient(loss, corrections) * change)
    difference = layer([images, corrections + change]) - layer([images, corrections])
    assert slope == pytest.approx(np.sum(difference * target), rel=1e-3)


@pytest.mark.parametrize("shape", [(1, 5, 3, 3), (2, 37, 53, 3)])
def test_any_size_of_image_serves(shape):
    measurements = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    restored = InverseNet(NeuralDeblur(width=8))(measurements)["restored"]
    np.testing.assert_allclose(restored, measurements, atol=1e-5)


def test_save_and_load_keep_every_value(tmp_path, images):
    network = NeuralDeblur(width=8, dtype="mixed_bfloat16")
    last = network.get_layer("coefficients")
    last.bias.assign(np.random.default_rng(0).normal(0, 0.1, last.bias.shape))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.get_config() == network.get_config()
    assert network(images).dtype == "float32"
    np.testing.assert_array_equal(loaded(images), network(images))
