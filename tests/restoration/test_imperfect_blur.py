"""Blur that is only nearly what the model says: it is found and restored, or left as it is."""

import io

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
from PIL import Image
from shifted_scores import best_psnr

import inversenet_tf as inv
from inversenet_tf.imaging.physics.kernels import camera_shake
from inversenet_tf.imaging.physics.operators import within_frame
from inversenet_tf.restoration.linear_light import LinearLightRestorer
from inversenet_tf.restoration.unknown_blur import UnknownBlurRestorer

KERNEL = camera_shake(13, seed=1)
GAMMA = 2.2


@pytest.fixture(scope="module")
def scene():
    return skimage.data.astronaut()[:256, 100:356].astype(np.float32) / 255


def stored(blurred):
    """With a sensor's noise and range, in 8 bits."""
    noisy = blurred + 0.005 * np.random.default_rng(0).standard_normal(blurred.shape)
    return np.uint8(np.rint(np.clip(noisy, 0, 1) * 255))


def saturated(scene):
    """With lamps beyond the sensor's range, whose streaks are cut off after the blur."""
    light = scene.copy()
    for row, column in np.random.default_rng(1).integers(10, 246, (12, 2)):
        light[row : row + 2, column : column + 2] = 8.0
    blurred, sharp = within_frame(KERNEL, light)
    assert 0.002 < (blurred.max(axis=-1) > 1).mean() < 0.05
    return stored(blurred), np.clip(sharp, 0, 1)


def of_light(scene):
    """Light is blurred, and stored to the power of 1 / 2.2."""
    blurred, sharp = within_frame(KERNEL, scene**GAMMA)
    return stored(np.clip(blurred, 0, 1) ** (1 / GAMMA)), sharp ** (1 / GAMMA)


def jpeg(scene):
    blurred, sharp = within_frame(KERNEL, scene)
    file = io.BytesIO()
    Image.fromarray(stored(blurred)).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file)), sharp


def varying(scene):
    """The camera also rolls: from left to right the kernel turns by some degrees."""
    turned = [scipy.ndimage.rotate(KERNEL, angle, reshape=False, order=1) for angle in (-4, 4)]
    (left, sharp), (right, _) = (within_frame(k / k.sum(), scene) for k in turned)
    weights = np.linspace(0, 1, left.shape[1])[:, np.newaxis]
    return stored((1 - weights) * left + weights * right), sharp


def gain(measured, sharp, gamma=1.0):
    restorer = inv.load("closed_form")
    if gamma != 1:
        restorer = LinearLightRestorer(restorer, gamma)
    restored = UnknownBlurRestorer(restorer, gamma=gamma)(measured)
    assert restored.shape == measured.shape and np.isfinite(restored).all()
    return best_psnr(restored, sharp) - best_psnr(measured / 255, sharp)


@pytest.mark.parametrize("simulated", [saturated, of_light, jpeg])
def test_what_the_model_does_not_explain_is_not_made_much_worse(simulated, scene):
    assert gain(*simulated(scene)) > -0.5


def test_a_kernel_that_varies_a_little_is_restored_all_the_same(scene):
    assert gain(*varying(scene)) > 1.0


def test_light_that_is_told_to_be_so_is_restored(scene):
    assert gain(*of_light(scene), gamma=GAMMA) > 1.0
