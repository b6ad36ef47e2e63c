import numpy as np

from inversenet_tf.imaging.files.pixels import to_uint8


def test_to_uint8_rounds_and_clips():
    values = np.array([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 7.0])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 1, 255, 255])
