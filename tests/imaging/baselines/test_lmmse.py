"""The linear optimum of measurements whose frame is all that is known."""

import numpy as np
import skimage.data

from inversenet_tf.imaging.baselines.lmmse import lmmse


def test_colours_of_a_gray_frame_have_three_channels():
    scene = skimage.data.astronaut()[:96, :96] / 255
    gray = scene.mean(-1, keepdims=True)[np.newaxis]
    point = np.ones((1, 1), np.float32)
    colours = lmmse(gray, point, boundary="reflect", to_gray=True)
    assert colours.shape == (1, 96, 96, 3)
    np.testing.assert_allclose(colours.mean(-1, keepdims=True), gray, atol=0.02)
