"""From the model's grid to the original image."""

import numpy as np
import pytest

from kdistill_core.imaging.geometry import scaling, translation
from kdistill_core.saliency import place_on_image
from kdistill_core.saliency.placement import NOWHERE

# A portrait image of 80 by 40 pixels in a model input of 8 by 8: margins of 2 model pixels left and right.
SHAPE = (80, 40)
IMAGE_TO_MODEL = translation(20, 0).then(scaling(0.1, 0.1))


def place(grid, padding=None):
    return place_on_image(np.asarray(grid, np.float32), 8, IMAGE_TO_MODEL, SHAPE, padding)


def one_hot(row, column, value=3.0):
    grid = np.zeros((8, 8), np.float32)
    grid[row, column] = value
    return grid


def test_a_cell_comes_out_around_its_own_ten_by_ten_pixels():
    placed = place(one_hot(4, 3))
    # Cell (4, 3) covers rows 40 to 49 and columns 10 to 19 of the image; its center is (14.5, 44.5).
    assert placed.peak == (14.5, 44.5)
    assert placed.values[44, 14] == placed.values.max() == 1.0
    assert placed.values[40:50, 10:20].min() >= 0.25
    assert placed.values[60:].max() == 0.0
    assert placed.note == ""


def test_the_margin_of_the_model_input_counts_neither_as_peak_nor_as_maximum():
    grid = one_hot(4, 3, value=1.0)
    grid[1, 0] = 50.0
    placed = place(grid)
    assert placed.peak == (14.5, 44.5)
    assert placed.values.max() == 1.0


def test_where_the_detector_saw_nothing_there_is_no_overlay():
    grid = one_hot(4, 3, value=5.0) + one_hot(6, 4, value=1.0)
    padding = np.zeros(SHAPE, bool)
    padding[:56] = True
    placed = place(grid, padding)
    assert placed.values[:56].max() == 0.0
    assert placed.values.max() == 1.0
    assert placed.peak == (24.5, 64.5)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-42])
def test_a_map_without_anything_positive_is_zero_says_so_and_points_nowhere(value):
    placed = place(np.full((8, 8), value))
    assert not placed.values.any()
    assert np.isfinite(placed.values).all()
    assert placed.peak == NOWHERE
    assert "Nothing in the image" in placed.note


def test_a_peak_at_the_margin_is_in_the_middle_of_its_plateau():
    placed = place(one_hot(0, 2))
    # Beyond the center of the outermost cells the map is constant: rows 0 to 4.
    assert placed.peak[1] == 2.0
    assert placed.peak[0] == 4.5
