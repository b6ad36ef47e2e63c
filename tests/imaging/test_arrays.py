"""What callers pass: converted or refused in one place, whatever function it is for."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from inversenet_tf.imaging.arrays import as_batch, in_unit_range
from inversenet_tf.imaging.baselines.lmmse import lmmse
from inversenet_tf.imaging.baselines.total_variation import tv_l1
from inversenet_tf.imaging.baselines.wiener import wiener
from inversenet_tf.imaging.files.images import write_image
from inversenet_tf.imaging.metrics import psnr, ssim
from inversenet_tf.imaging.physics.kernels import gaussian
from inversenet_tf.imaging.physics.operators import Blur, Compose, Downsampling, SpectralMean
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.unet import UNet

PIXELS = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
IMAGES = PIXELS.astype(np.float32) / 255
KERNEL = gaussian(3, 1.0)
FUNCTIONS = {
    "blur": Blur(KERNEL),
    "downsampling": Compose(Blur(KERNEL), Downsampling(2)),
    "mean": SpectralMean(),
    "lmmse": lambda y: lmmse(y, KERNEL),
    "wiener": lambda y: wiener(y, KERNEL),
    "tv": lambda y: tv_l1(y, KERNEL, iterations=2),
    "model": lambda y: model().restore(y)["restored"],
}


def model():
    return InverseNet(UNet(2))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_and_doubles_mean_the_same_as_floats(name):
    tf.keras.utils.set_random_seed(0)
    expected = np.asarray(FUNCTIONS[name](IMAGES))
    others = [
        PIXELS,
        PIXELS.astype(np.uint16) * 257,
        IMAGES.astype(np.float64),
        tf.constant(PIXELS),
    ]
    for images in others:
        tf.keras.utils.set_random_seed(0)
        np.testing.assert_allclose(np.asarray(FUNCTIONS[name](images)), expected, atol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_rank_or_type_is_one_line(name):
    for images in (IMAGES[0], IMAGES[0, ..., 0], IMAGES[np.newaxis], PIXELS.astype(np.int64)):
        with pytest.raises(ValueError, match=r"^Expected (images|measurements)") as error:
            FUNCTIONS[name](images)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"a batch of one as image\[np.newaxis\]"):
        FUNCTIONS[name](IMAGES[0])


def test_metrics_of_integers_are_those_of_floats():
    other = np.clip(IMAGES + 0.1, 0, 1)
    for metric in (psnr, ssim):
        np.testing.assert_allclose(metric(PIXELS, other), metric(IMAGES, other), rtol=1e-5)
        with pytest.raises(ValueError, match="divide by 255"):
            metric(PIXELS.astype(np.float32), other)


def test_written_integers_are_the_pixels(tmp_path):
    write_image(tmp_path / "a.png", PIXELS[0])
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), PIXELS[0])
    with pytest.raises(ValueError, match="divide by 255"):
        write_image(tmp_path / "b.png", PIXELS[0].astype(np.float32))
    with pytest.raises(ValueError, match="height, width, 1 or 3"):
        write_image(tmp_path / "b.png", IMAGES)
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (PIXELS.astype(float), "divide by 255, .* 8 bits"),
        (PIXELS.astype(float) * 257, "divide by 65535, .* 16 bits"),
        (IMAGES * 1e7, "divide values on other scales"),
        (IMAGES - 5, "divide values on other scales"),
        (np.linspace(-1, 1, 9), "add 1 and divide by 2"),
        (np.full((2, 2), np.nan), "finite"),
        (np.ma.masked_array([0.5, 0.7], [True, False]), "masked"),
    ],
)
def test_the_advice_is_that_of_the_scale(values, advice):
    with pytest.raises(ValueError, match=advice):
        in_unit_range(values)


def test_graphs_are_left_alone():
    traced = tf.function(
        lambda images: as_batch(images) + 0.0, input_signature=[tf.TensorSpec(None)]
    )
    assert traced(tf.ones(())).shape == ()
