import numpy as np
import pytest
from PIL import Image

from inversenet_tf.imaging.files.grids import comparison_figure, image_grid


def test_grid_puts_rows_and_columns_where_they_belong():
    left = np.stack([np.full((2, 3, 1), 0.1), np.full((2, 3, 1), 0.2)])
    right = np.stack([np.full((2, 3, 1), 0.3), np.full((2, 3, 1), 7.0)])
    grid = image_grid([left, right], gap=1)
    assert grid.shape == (5, 7, 1) and grid.dtype == np.float32
    corners = grid[[0, 0, 4, 4], [0, 6, 0, 6], 0]
    np.testing.assert_allclose(corners, [0.1, 0.3, 0.2, 1.0])
    np.testing.assert_array_equal(grid[2], 1.0)


def test_figure_holds_images_of_several_sizes(tmp_path):
    rows = [
        [(np.zeros((20, 30, 3)), "black"), (np.ones((20, 30, 3)), "white")],
        [(np.zeros((40, 10, 1)), "black"), (np.ones((40, 10, 1)), "white")],
    ]
    comparison_figure(tmp_path / "figure.png", rows, footer="how it was made")
    assert Image.open(tmp_path / "figure.png").size[0] > 300
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]


@pytest.mark.filterwarnings("error")
def test_a_name_in_letters_that_no_font_has(tmp_path):
    comparison_figure(tmp_path / "a.png", [[(np.zeros((8, 8, 3)), "照片")]], "文件夹:照片")
