import numpy as np
import pytest
import skimage.transform
import tensorflow as tf

from inversenet_tf.imaging.physics.operators import Downsampling
from inversenet_tf.imaging.physics.upsampling import bicubic


def test_bicubic_agrees_with_scikit_image_inside(images):
    """scikit-image's cubic is a B-spline interpolation, so on a smooth image they nearly agree."""
    ours = bicubic(images, 2)
    theirs = skimage.transform.resize(images.numpy()[0], (64, 64, 3), order=3)
    assert ours.shape == (2, 64, 64, 3)
    assert np.abs(ours[0] - theirs)[8:-8, 8:-8].mean() < 0.01


def waves(side, channels=3):
    """A smooth periodic image in [0, 1], its waves of 32 pixels: [1, side, side, c]."""
    turns = 2 * np.pi * np.arange(side) / 32
    rows, columns = np.meshgrid(turns, turns, indexing="ij")
    bands = [np.sin(rows + c) + np.cos(columns - c) for c in range(channels)]
    return (0.5 + 0.2 * np.stack(bands, axis=-1)[None]).astype(np.float32)


@pytest.mark.parametrize("scale", [2, 4])
def test_bicubic_gives_back_the_image_that_was_sampled(scale):
    image, operator = waves(64), Downsampling(scale)
    measurements = operator(image)
    aligned = bicubic(measurements, scale, operator.phase, "circular")
    unaligned = bicubic(measurements, scale, boundary="circular")
    error = np.abs(aligned - image).max()
    assert error < {2: 1e-3, 4: 1e-2}[scale]  # cubic interpolation of waves of 16 and 8 samples
    assert np.abs(unaligned - image).max() > 3 * error
    np.testing.assert_allclose(operator(aligned), measurements, atol=1e-6)
    shifted = bicubic(np.roll(measurements, (1, 2), (1, 2)), scale, 1, "circular")
    whole = bicubic(measurements, scale, 1, "circular")
    np.testing.assert_allclose(shifted, np.roll(whole, (scale, 2 * scale), (1, 2)), atol=1e-6)


def test_bicubic_continues_mirrored_images():
    """A quarter of a mirrored image, whose borders are mirrors, gives a quarter of the result."""
    quarter = waves(32)[:, ::2, ::2]
    mirrored = np.pad(quarter, [(0, 0), (0, 14), (0, 14), (0, 0)], "reflect")
    whole = bicubic(mirrored, 2, 0, "circular")
    ours = bicubic(quarter, 2, 0, "reflect")
    np.testing.assert_allclose(ours, whole[:, :32, :32], atol=1e-6)


@pytest.mark.parametrize("scale", [2, 4])
def test_bicubic_is_tensorflows_at_the_centre_of_a_block(images, scale):
    expected = tf.clip_by_value(tf.image.resize(images, (32 * scale, 32 * scale), "bicubic"), 0, 1)
    np.testing.assert_allclose(bicubic(images, scale), expected, atol=1e-5)


@pytest.mark.parametrize("boundary", [None, "circular", "reflect"])
def test_bicubic_takes_any_size_inside_a_function(boundary):
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)])
    def upsampled(measurements):
        return bicubic(measurements, 4, 2, boundary)

    for height, width in [(8, 12), (2, 5), (1, 1)]:
        measurements = waves(16, 1)[:, :height, :width]
        result = upsampled(measurements)
        assert result.shape == (1, 4 * height, 4 * width, 1)
        np.testing.assert_allclose(result, bicubic(measurements, 4, 2, boundary), atol=1e-6)
