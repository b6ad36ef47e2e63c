import keras
import numpy as np
import pytest

from inversenet_tf.models.discriminator import Discriminator


@pytest.mark.parametrize(("side", "channels"), [(16, 3), (37, 1), (64, 3)])
def test_one_logit_per_image_of_any_size(side, channels):
    logits = Discriminator(channels, width=4)(np.zeros((5, side, side, channels), np.float32))
    assert logits.shape == (5,)
    assert logits.dtype == "float32"


def test_widths_are_those_of_dcgan():
    discriminator = Discriminator()
    widths = [discriminator.get_layer(f"conv{i}").filters for i in (1, 2, 3, 4)]
    assert widths == [64, 128, 256, 512]


def test_save_and_load_keep_every_value(tmp_path, images):
    discriminator = Discriminator(width=4)
    discriminator.save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    np.testing.assert_array_equal(loaded(images), discriminator(images))
