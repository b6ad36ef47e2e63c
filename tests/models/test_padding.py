import numpy as np
import pytest

from inversenet_tf.models.padding import crop_to, pad_to_multiple


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("shape", [(32, 64), (37, 53), (5, 70), (1, 1)])
def test_padding_reaches_the_multiple_and_is_undone(shape, boundary):
    images = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    padded = pad_to_multiple(images, 32, boundary)
    assert all(
        side % 32 == 0 and side - 32 < n for side, n in zip(padded.shape[1:3], shape, strict=True)
    )
    np.testing.assert_array_equal(crop_to(padded, shape), images)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("shape", [(32, 64), (37, 53), (5, 70), (1, 1)])
def test_padding_is_undone_of_upsampled_images(shape, scale):
    images = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    padded = np.asarray(pad_to_multiple(images, 32))
    padded, expected = (x.repeat(scale, axis=1).repeat(scale, axis=2) for x in (padded, images))
    size = [scale * side for side in shape]
    np.testing.assert_array_equal(crop_to(padded, size, scale), expected)


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [("circular", [2, 3, 1, 2, 3, 1, 2, 3]), ("reflect", [3, 2, 1, 2, 3, 2, 1, 2])],
)
def test_padding_goes_on_as_the_boundary_says(boundary, expected):
    row = np.array([1.0, 2.0, 3.0], np.float32)[None, None, :, None]
    padded = pad_to_multiple(np.repeat(row, 8, axis=1), 8, boundary)
    np.testing.assert_array_equal(padded[0, 0, :, 0], expected)


@pytest.mark.parametrize(("boundary", "mode"), [("circular", "wrap"), ("reflect", "reflect")])
def test_padding_is_that_of_numpy(boundary, mode):
    images = np.random.default_rng(0).normal(size=(1, 11, 13, 2)).astype(np.float32)
    widths = ((0, 0), (2, 3), (1, 2), (0, 0))
    expected = np.pad(images, widths, mode=mode)
    np.testing.assert_array_equal(pad_to_multiple(images, 16, boundary), expected)


def test_unknown_boundaries_are_refused():
    with pytest.raises(ValueError, match="boundary"):
        pad_to_multiple(np.zeros((1, 3, 3, 1), np.float32), 8, "zero")
