"""Which parts of photographs a blur is sought in."""

import numpy as np
import pytest
import scipy.fft

from inversenet_tf.imaging.physics.blur_model import MARGIN
from inversenet_tf.imaging.physics.informative import (
    PIXELS,
    informative_part,
    informative_patches,
)

NOISE = 0.01


def photograph(height, width, top=0, left=0, side=None):
    """Gray, with edges in every direction where they are wanted; by default everywhere."""
    luma = np.full((height, width), 0.5, np.float32)
    rows = slice(top, top + (side or height))
    columns = slice(left, left + (side or width))
    shape = luma[rows, columns].shape
    luma[rows, columns] = np.random.default_rng(0).uniform(0.2, 0.8, shape)
    return luma


@pytest.mark.parametrize("shape", [(295, 455), (200, 200), (64, 1000), (1000, 64)])
def test_of_a_small_photograph_the_part_is_nearly_all(shape):
    luma = photograph(*shape)
    part = informative_part(luma, NOISE, 0)
    assert len(part) == 1 and part[0].size > 0.9 * luma.size
    for extent in part.shape[1:]:
        assert scipy.fft.next_fast_len(extent + MARGIN) == extent + MARGIN


def test_of_a_large_photograph_the_part_is_where_the_edges_are():
    luma = photograph(1200, 1500, top=700, left=900, side=400)
    part = informative_part(luma, NOISE, 0)
    assert 0.8 * PIXELS < part.size <= PIXELS
    assert (part != 0.5).mean() > 0.8


def test_a_part_that_is_not_worth_its_while_is_none():
    luma = photograph(200, 200)
    assert [len(informative_part(luma, NOISE, least)) for least in (36_000, 41_000)] == [1, 0]


def test_patches_do_not_overlap_and_are_four_at_most():
    luma = photograph(800, 900)
    patches = informative_patches([luma], NOISE)
    assert patches.shape == (4, 192, 192)
    corners = [np.argwhere(luma[:-1, :-1] == patch[0, 0]) for patch in patches]
    places = [
        (top, left)
        for patch, found in zip(patches, corners, strict=True)
        for top, left in found
        if np.array_equal(luma[top : top + 192, left : left + 192], patch)
    ]
    assert len(places) == 4
    for i, (top, left) in enumerate(places):
        assert all(abs(top - y) >= 192 or abs(left - x) >= 192 for y, x in places[:i])


def test_what_is_flat_or_white_is_left_out():
    overexposed = photograph(300, 300)
    overexposed[::3] = 1.0
    for luma in (np.full((300, 300), 0.5, np.float32), np.ones((300, 300)), overexposed):
        assert len(informative_patches([luma], NOISE)) == 0
        assert len(informative_part(luma, NOISE, 0)) == 0
