"""Where image and overlay land on the screen, against positions worked out here, pixel by pixel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from kdistill_core.imaging.display import render
from kdistill_core.records import VoiFunction, Window
from kdistill_viewer.canvas.overlay import OverlayStyle
from kdistill_viewer.canvas.rendering import ImageLayer, OverlayLayer, rendered_region
from kdistill_viewer.canvas.transform import Extent, ViewTransform

WINDOW = Window(2048, 4096, function=VoiFunction.LINEAR_EXACT)
OPAQUE = OverlayStyle(opacity=1.0, threshold=0.0)
SHAPES = {"portrait": (120, 70), "landscape": (70, 120), "square": (90, 90)}
AROUND = QColor("#102030")


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Replace the watch for widgets, timers and threads: none is made here, and it would cost more than the tests."""


def image_array(image: QImage) -> np.ndarray:
    """Return uint8 [rows, columns, 4]: blue, green, red, alpha."""
    view = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return view[:, : image.width()].copy()


def covering_pixel(length: int, offset: float, zoom: float) -> np.ndarray:
    """Return, for each device pixel, the image column or row that its center lies in."""
    return np.floor((np.arange(length) + 0.5 - offset) / zoom).astype(int)


def lit_by_one_pixel(layer: OverlayLayer, extent: Extent, view: ViewTransform) -> np.ndarray:
    return image_array(layer.image(extent, view, OPAQUE, smooth=view.zoom < 2))[..., 3] > 0


def check_lights_its_pixel(saliency, radiograph, row: int, column: int, extent: Extent, view: ViewTransform) -> None:
    lit = lit_by_one_pixel(OverlayLayer(saliency, radiograph), extent, view)
    expected = np.outer(
        covering_pixel(extent.height, view.offset_y, view.row_zoom) == row,
        covering_pixel(extent.width, view.offset_x, view.zoom) == column,
    )
    np.testing.assert_array_equal(lit, expected)


def extent_for(shape: tuple[int, int]) -> Extent:
    return Extent(rows=shape[0], columns=shape[1], width=211, height=173)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("zoom", [2.0, 2.37, 3.0, 5.71, 16.0, 41.3])
def test_one_map_pixel_lights_exactly_the_screen_pixels_of_that_image_pixel(make_radiograph, make_map, shape, zoom):
    radiograph, extent = make_radiograph(*shape), extent_for(shape)
    random = np.random.default_rng(3)
    for _ in range(12):
        row, column = int(random.integers(shape[0])), int(random.integers(shape[1]))
        # A pan that brings the pixel somewhere near the middle of the screen, off whole pixels.
        view = ViewTransform(
            zoom,
            extent.width / 2 - column * zoom + random.uniform(-60, 60),
            extent.height / 2 - row * zoom + random.uniform(-60, 60),
        )
        check_lights_its_pixel(make_map(*shape, row, column), radiograph, row, column, extent, view)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_mirrored_overlay_is_noticed(make_radiograph, make_map, shape, axis):
    extent = extent_for(shape)
    view = extent.centered(2.5)
    row, column = shape[0] // 2 + 7, shape[1] // 2 - 9
    saliency = make_map(*shape, row, column)
    mirrored = dataclasses.replace(saliency, values=np.flip(saliency.values, axis).copy())
    check_lights_its_pixel(saliency, make_radiograph(*shape), row, column, extent, view)
    with pytest.raises(AssertionError):
        check_lights_its_pixel(mirrored, make_radiograph(*shape), row, column, extent, view)


@pytest.mark.parametrize("shape", [(1200, 700), (700, 1200), (901, 901)], ids=SHAPES)
@pytest.mark.parametrize("zoom", [0.13, 0.21, 0.5, 0.77, 1.0, 1.6])
def test_one_map_pixel_stays_lit_in_its_place_when_zoomed_out(make_radiograph, make_map, shape, zoom):
    radiograph, extent = make_radiograph(*shape), extent_for(shape)
    random = np.random.default_rng(4)
    for _ in range(6):
        row, column = int(random.integers(shape[0])), int(random.integers(shape[1]))
        view = ViewTransform(
            zoom,
            extent.width / 2 - column * zoom + random.uniform(-50, 50),
            extent.height / 2 - row * zoom + random.uniform(-50, 50),
        )
        layer = OverlayLayer(make_map(*shape, row, column), radiograph)
        alpha = image_array(layer.image(extent, view, OPAQUE, smooth=True))[..., 3].astype(float)
        assert alpha.max() > 0.2 * 255
        y, x = (np.indices(alpha.shape) + 0.5) * alpha / alpha.sum()
        # Its block is at most two device pixels wide, and so is the interpolation's support.
        assert x.sum() == pytest.approx(view.offset_x + (column + 0.5) * zoom, abs=1.6)
        assert y.sum() == pytest.approx(view.offset_y + (row + 0.5) * zoom, abs=1.6)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("zoom", [1.0, 2.0, 3.3, 12.0])
def test_image_pixels_land_where_the_transform_says(make_radiograph, shape, zoom):
    radiograph, extent = make_radiograph(*shape), extent_for(shape)
    view = ViewTransform(zoom, -13.0 * zoom, 21.0) if zoom != 1 else ViewTransform(1.0, -13.0, 21.0)
    shown = image_array(
        ImageLayer(radiograph).image(extent, view, WINDOW, inverted=False, smooth=zoom < 2, around=AROUND)
    )
    rows = covering_pixel(extent.height, view.offset_y, view.zoom)
    columns = covering_pixel(extent.width, view.offset_x, view.zoom)
    inside = np.outer((rows >= 0) & (rows < shape[0]), (columns >= 0) & (columns < shape[1]))
    expected = render(radiograph, WINDOW)[np.clip(rows, 0, shape[0] - 1)][:, np.clip(columns, 0, shape[1] - 1)]
    for channel, outside in zip(range(3), (0x30, 0x20, 0x10), strict=True):
        np.testing.assert_array_equal(shown[..., channel], np.where(inside, expected, outside))


def test_half_size_shows_the_means_of_two_by_two_pixels(make_radiograph):
    radiograph = make_radiograph(120, 200)
    extent = Extent(rows=120, columns=200, width=100, height=60)
    shown = image_array(
        ImageLayer(radiograph).image(
            extent, ViewTransform(0.5, 0, 0), WINDOW, inverted=False, smooth=True, around=AROUND
        )
    )[..., 0]
    means = radiograph.pixels.astype(np.float64).reshape(60, 2, 100, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(shown, np.clip(means / 4096 * 255, 0, 255), atol=0.51)


def test_zoomed_out_image_of_odd_size_keeps_its_place(make_radiograph):
    """A bright pixel in the far corner of an odd-sized image is found where the transform puts it."""
    pixels = np.zeros((1023, 777), np.float32)
    pixels[1000:1004, 700:704] = 4096
    radiograph = make_radiograph(pixels=pixels)
    extent = Extent(rows=1023, columns=777, width=300, height=250)
    view = extent.fitted()
    shown = image_array(
        ImageLayer(radiograph).image(extent, view, WINDOW, inverted=False, smooth=True, around=QColor("black"))
    )[..., 0].astype(float)
    y, x = (np.indices(shown.shape) + 0.5) * shown / shown.sum()
    assert x.sum() == pytest.approx(view.offset_x + 702 * view.zoom, abs=0.3)
    assert y.sum() == pytest.approx(view.offset_y + 1002 * view.zoom, abs=0.3)


def test_part_of_an_image_renders_as_that_part_of_the_whole(make_radiograph):
    padding = np.zeros((240, 200), bool)
    padding[:, :30] = True
    radiograph = make_radiograph(padding=padding, inverted=True)
    whole = render(radiograph, WINDOW, invert=True)
    part = rendered_region(radiograph, (17, 40, 150, 201), WINDOW, inverted=True)
    np.testing.assert_array_equal(part, whole[40:201, 17:150])


def test_padding_stays_out_of_zoomed_out_means(make_radiograph):
    pixels = np.full((200, 200), 1000, np.float32)
    padding = np.zeros((200, 200), bool)
    pixels[:, 101:], padding[:, 101:] = -30000, True
    radiograph = make_radiograph(pixels=pixels, padding=padding)
    extent = Extent(rows=200, columns=200, width=50, height=50)
    shown = image_array(
        ImageLayer(radiograph).image(
            extent, ViewTransform(0.25, 0, 0), WINDOW, inverted=False, smooth=True, around=AROUND
        )
    )[..., 0]
    # Column 25 of the screen holds one column of image and three of padding: it shows the image's gray, undiluted.
    assert set(np.unique(shown[:, :26])) == {round(1000 / 4096 * 255)}
    assert set(np.unique(shown[:, 26:])) == {0}


def test_view_beside_the_image_shows_none_of_it(make_radiograph, make_map):
    radiograph, extent = make_radiograph(90, 90), extent_for((90, 90))
    view = ViewTransform(1.0, 500.0, 0.0)
    shown = ImageLayer(radiograph).image(extent, view, WINDOW, inverted=False, smooth=True, around=AROUND)
    assert set(np.unique(image_array(shown)[..., 2])) == {0x10}
    overlay = OverlayLayer(make_map(90, 90, 3, 3), radiograph)
    assert not lit_by_one_pixel(overlay, extent, view).any()


def test_layers_are_drawn_anew_only_for_a_new_view(make_radiograph):
    layer = ImageLayer(make_radiograph(90, 90))
    extent = extent_for((90, 90))
    first = layer.image(extent, extent.fitted(), WINDOW, inverted=False, smooth=True, around=AROUND)
    again = layer.image(extent, extent.fitted(), WINDOW, inverted=False, smooth=True, around=AROUND)
    other = layer.image(extent, extent.centered(1.0), WINDOW, inverted=False, smooth=True, around=AROUND)
    assert first.cacheKey() == again.cacheKey()
    assert first.cacheKey() != other.cacheKey()
