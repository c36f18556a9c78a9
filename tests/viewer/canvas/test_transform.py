from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_viewer.canvas.transform import Extent, ViewTransform

zooms = st.floats(0.02, 64)
offsets = st.floats(-5000, 5000)
points = st.floats(-100, 4000)
views = st.builds(ViewTransform, zooms, offsets, offsets, st.floats(0.5, 2))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Replace the watch for widgets, timers and threads: none is made here, and it would cost more than the tests."""


@given(views, points, points)
def test_image_to_device_and_back_is_the_identity(view, x, y):
    assert view.to_image(*view.to_device(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(views, zooms, points, points)
def test_zooming_keeps_the_image_point_under_the_pointer(view, zoom, x, y):
    before = view.to_image(x, y)
    zoomed = view.zoomed(zoom, x, y)
    assert zoomed.zoom == zoom
    assert zoomed.to_image(x, y) == pytest.approx(before, abs=1e-3)


def test_first_pixel_covers_the_first_device_pixel_at_one_to_one():
    view = ViewTransform(1.0, 0.0, 0.0)
    # The center of an image's first pixel is (0, 0), that of a device's first pixel (0.5, 0.5).
    assert view.to_device(0, 0) == (0.5, 0.5)
    assert view.pixel_at(0.0, 0.0) == (0, 0)
    assert view.pixel_at(0.999, 0.999) == (0, 0)
    assert view.pixel_at(-0.001, 1.0) == (-1, 1)


def test_portrait_image_fits_by_its_height_and_is_centered():
    view = Extent(rows=1000, columns=500, width=800, height=600).fitted()
    assert view.zoom == pytest.approx(0.6)
    assert view.offset_y == pytest.approx(0)
    assert view.offset_x == pytest.approx((800 - 300) / 2)


def test_landscape_image_fits_by_its_width():
    view = Extent(rows=500, columns=1000, width=800, height=600).fitted()
    assert view.zoom == pytest.approx(0.8)
    assert (view.offset_x, view.offset_y) == pytest.approx((0, 100))


def test_oblong_detector_pixels_are_shown_true():
    # Pixels twice as tall as wide: 100 x 100 of them make a picture of 1 : 2.
    extent = Extent(rows=100, columns=100, width=400, height=400, pixel_aspect=2.0)
    view = extent.fitted()
    left, top = view.to_device(-0.5, -0.5)
    right, bottom = view.to_device(99.5, 99.5)
    assert (right - left, bottom - top) == pytest.approx((200, 400))


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 2000), st.integers(1, 2000))
def test_fit_shows_the_whole_image_and_touches_two_sides(rows, columns, width, height):
    extent = Extent(rows, columns, width, height)
    view = extent.fitted()
    left, top = view.to_device(-0.5, -0.5)
    right, bottom = view.to_device(columns - 0.5, rows - 0.5)
    assert left >= -1e-6
    assert top >= -1e-6
    assert right <= width + 1e-6
    assert bottom <= height + 1e-6
    assert min(left, top) == pytest.approx(0, abs=1e-6)


@given(views)
def test_actual_size_is_one_to_one_on_whole_pixels(view):
    extent = Extent(3000, 2500, 801, 599)
    actual = extent.actual_size(view)
    assert actual.zoom == 1
    assert actual.offset_x == int(actual.offset_x)
    assert actual.offset_y == int(actual.offset_y)


@given(views)
def test_some_of_the_image_stays_in_sight(view):
    extent = Extent(300, 200, 640, 480)
    left, top, right, bottom = extent.visible(extent.kept_in_sight(view))
    assert right > left
    assert bottom > top


def test_visible_range_counts_pixels_seen_in_part():
    extent = Extent(rows=10, columns=10, width=30, height=30)
    # 4 device pixels a column, the first column's corner at -6: columns 1 (in part) to 8 (in part).
    assert extent.visible(ViewTransform(4.0, -6.0, -6.0)) == (1, 1, 10, 10)
    assert extent.visible(ViewTransform(8.0, -20.0, -20.0)) == (2, 2, 7, 7)


def test_fit_and_actual_size_lie_within_the_zoom_range():
    for extent in (Extent(3000, 2500, 100, 100), Extent(10, 10, 2000, 2000), Extent(1, 1, 3000, 3000)):
        lowest, highest = extent.zoom_range
        assert lowest <= extent.fit_zoom <= highest
        assert lowest <= 1 <= highest
