import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.imaging.physics.operators import folded
from inversenet_tf.models.padding import crop_to, pad_to_multiple, padded_positions


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


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
def test_no_remainder_is_of_a_negative_number(boundary):
    """Converters to other formats round such divisions towards zero, where Python rounds down."""

    def padded(size):
        return padded_positions(size, 8, boundary), folded(tf.range(-9, 20), size, boundary)

    graph = tf.compat.v1.wrap_function(padded, [tf.TensorSpec((), tf.int32)])
    remainders = [o for o in graph.graph.get_operations() if o.type == "FloorMod"]
    operands = graph.prune(graph.inputs, [o.inputs[0] for o in remainders])
    assert remainders
    for size in (1, 2, 5, 8, 13):
        assert all(np.min(values) >= 0 for values in operands(tf.constant(size)))
        mode = {"circular": "wrap", "reflect": "reflect"}[boundary]
        expected = np.pad(np.arange(size), (9, 20 - size), mode=mode)
        np.testing.assert_array_equal(graph(tf.constant(size))[1], expected)
