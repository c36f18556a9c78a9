"""The way to the model and back: places, values, polarity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from kdistill_core.imaging import read_radiograph
from kdistill_core.imaging.geometry import Affine
from kdistill_core.imaging.model_input import map_to_image, preprocessing_sha256, to_model_input
from kdistill_core.records import ImageSource, Radiograph, Window

SHAPES = {"portrait": (900, 640), "landscape": (500, 811), "square": (512, 512), "small": (100, 75)}


def radiograph(pixels: np.ndarray, **fields) -> Radiograph:
    return Radiograph(pixels=pixels.astype(np.float32), source=ImageSource("made"), sha256="", **fields)


def sharpness(pixels: np.ndarray) -> float:
    return float(np.abs(ndimage.laplace(pixels))[2:-2, 2:-2].mean())


def test_a_picture_reduced_to_less_detail_is_as_sharp_as_one_that_was_handed_out_small(shared_data):
    root = shared_data / "images" / "nih"
    both = sorted({path.name for path in (root / "128").iterdir()} & {path.name for path in (root / "512").iterdir()})
    ratios, unreduced = [], []
    for name in both[::12]:
        large, small = (read_radiograph(root / side / name) for side in ("512", "128"))
        came_small = sharpness(to_model_input(small, 256).pixels)
        ratios.append(sharpness(to_model_input(large, 256, detail=128).pixels) / came_small)
        unreduced.append(sharpness(to_model_input(large, 256).pixels) / came_small)
    assert abs(np.mean(ratios) - 1) < 0.05
    assert np.mean(unreduced) > 1.3


def spot(rows: int, columns: int, x: float, y: float, radius: float) -> np.ndarray:
    row, column = np.mgrid[:rows, :columns]
    return 1000 * np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * radius**2))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("corner", [(0.15, 0.2), (0.85, 0.2), (0.2, 0.8), (0.83, 0.77)])
def test_a_spot_lands_where_the_affine_says_to_half_a_pixel(shape, corner):
    rows, columns = shape
    x, y = corner[0] * columns, corner[1] * rows
    made = to_model_input(radiograph(spot(rows, columns, x, y, max(rows, columns) / 60)), 224)
    center_y, center_x = ndimage.center_of_mass(made.pixels.astype(np.float64))
    expected_x, expected_y = made.image_to_model.apply((x, y))
    assert abs(center_x - expected_x) < 0.1
    assert abs(center_y - expected_y) < 0.1
    back_x, back_y = made.image_to_model.inverse().apply((center_x, center_y))
    assert abs(back_x - x) < 0.5
    assert abs(back_y - y) < 0.5


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("grid", [7, 14, 224])
def test_the_peak_of_a_map_leads_to_the_pixel_it_came_from(shape, grid):
    rows, columns = shape
    made = to_model_input(radiograph(np.random.default_rng(0).normal(size=shape)), 224)
    for cell_row, cell_column in [(grid // 3, grid // 2), (grid // 2, grid // 3), (grid // 2, grid // 2)]:
        values = np.zeros((grid, grid), dtype=np.float32)
        values[cell_row, cell_column] = 1
        mapped = map_to_image(values, 224, made.image_to_model, rows, columns)
        assert mapped.shape == shape
        peak_row, peak_column = np.unravel_index(np.argmax(mapped), shape)
        # The cell's center in model coordinates, taken to the image by the inverse.
        center = (np.array([cell_column, cell_row]) + 0.5) * 224 / grid - 0.5
        expected = made.image_to_model.inverse().apply(center)
        assert np.abs(expected - (peak_column, peak_row)).max() <= 0.5 + 1e-6 * max(shape)


def test_a_mirrored_map_does_not_pass_for_the_map():
    rows, columns = SHAPES["portrait"]
    made = to_model_input(radiograph(spot(rows, columns, 100, 200, 20)), 224)
    values = np.zeros((14, 14), dtype=np.float32)
    values[3, 4] = 1
    mapped = map_to_image(values, 224, made.image_to_model, rows, columns)
    assert not np.allclose(mapped, map_to_image(values[:, ::-1], 224, made.image_to_model, rows, columns))


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(20, 120), columns=st.integers(20, 120), seed=st.integers(0, 9))
def test_mapping_back_agrees_with_scipy_interpolation(rows, columns, seed):
    values = np.random.default_rng(seed).random((6, 6)).astype(np.float32)
    made = to_model_input(radiograph(np.arange(rows * columns).reshape(rows, columns)), 96)
    mapped = map_to_image(values, 96, made.image_to_model, rows, columns)
    y, x = np.mgrid[:rows, :columns]
    model = made.image_to_model.apply(np.stack([x.ravel(), y.ravel()], axis=1))
    grid = (model + 0.5) * 6 / 96 - 0.5
    expected = ndimage.map_coordinates(values, [grid[:, 1], grid[:, 0]], order=1, mode="nearest")
    np.testing.assert_allclose(mapped.ravel(), expected, atol=1e-5)


def test_a_map_finer_than_the_image_is_averaged():
    made = to_model_input(radiograph(np.arange(64 * 64).reshape(64, 64)), 256)
    checkered = (np.indices((256, 256)).sum(axis=0) % 2).astype(np.float32)
    mapped = map_to_image(checkered, 256, made.image_to_model, 64, 64)
    np.testing.assert_allclose(mapped, 0.5, atol=0.05)


def test_a_turning_affine_is_refused():
    with pytest.raises(ValueError, match="shears"):
        map_to_image(np.ones((2, 2), np.float32), 8, Affine(np.array([[1, 0.5, 0], [0, 1.0, 0]])), 8, 8)


def test_aspect_is_kept_and_the_rest_is_black():
    made = to_model_input(radiograph(np.random.default_rng(0).uniform(500, 1000, (400, 200))), 100)
    assert (made.pixels[:, :24] == 0).all()
    assert (made.pixels[:, 76:] == 0).all()
    assert made.pixels[:, 30:70].mean() == pytest.approx(0.5, abs=0.05)


def test_fine_stripes_are_averaged_not_aliased():
    stripes = np.tile([0.0, 1000.0], (1024, 512))
    made = to_model_input(radiograph(stripes), 128)
    np.testing.assert_allclose(made.pixels[8:-8, 8:-8], 0.5, atol=0.02)


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (257, 0), (16, -1024), (0.01, 3.0)])
def test_bit_depth_and_offset_do_not_change_what_the_model_sees(scale, offset):
    picture = np.random.default_rng(3).integers(0, 256, (120, 90)).astype(np.float64)
    reference = to_model_input(radiograph(picture), 64).pixels
    np.testing.assert_allclose(to_model_input(radiograph(picture * scale + offset), 64).pixels, reference, atol=2e-3)


def test_polarity_is_resolved_once():
    picture = np.random.default_rng(4).integers(0, 4096, (90, 90))
    upright = to_model_input(radiograph(picture), 64).pixels
    stored_inverted = to_model_input(radiograph(4095 - picture, inverted=True), 64).pixels
    np.testing.assert_allclose(stored_inverted, upright, atol=2e-3)


def test_padding_neither_moves_the_values_nor_shows():
    picture = np.random.default_rng(5).integers(1000, 2000, (100, 100)).astype(np.float64)
    padding = np.zeros((100, 100), dtype=bool)
    padding[:, :30] = True
    plain = to_model_input(radiograph(picture), 100).pixels
    padded = to_model_input(radiograph(np.where(padding, 65535, picture), padding=padding), 100).pixels
    assert (padded[:, :30] == 0).all()
    np.testing.assert_allclose(padded[:, 30:], plain[:, 30:], atol=0.01)


def test_a_window_of_the_file_that_shows_nothing_is_passed_over():
    picture = np.random.default_rng(6).integers(1000, 2000, (100, 100))
    lost = radiograph(picture, windows=(Window(40, 400),))
    np.testing.assert_allclose(to_model_input(lost, 64).pixels, to_model_input(radiograph(picture), 64).pixels)


def test_the_preprocessing_is_named_by_its_size():
    assert preprocessing_sha256(224) == preprocessing_sha256(224)
    assert preprocessing_sha256(224) != preprocessing_sha256(448)
