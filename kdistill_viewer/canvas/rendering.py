"""Layers of the canvas as images of the screen's size: the radiograph, and the overlay in the very same transform.

Both go through :func:`_draw`, so that there is one place where a pixel of the original image finds its place on the
screen. A layer is kept until what it shows changes; a mouse move over an unchanged image paints no pixel anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from kdistill_core.records import Radiograph, SaliencyMap, Window
from kdistill_viewer.canvas.overlay import OverlayStyle, overlay_palette, overlay_steps
from kdistill_viewer.canvas.pyramid import MaximumPyramid, RadiographPyramid, level_for
from kdistill_viewer.canvas.transform import Extent, ViewTransform

# Beyond this zoom the reader wants to see the detector's pixels, not an interpolation between them.
NEAREST_FROM_ZOOM = 2.0
# Regions are rendered in steps of this many level pixels, so that a short pan needs no new rendering.
_REGION_STEP = 256

Region: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom of a part of a level, half open
Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint32]


class ImageLayer:
    """The radiograph under a window, drawn for one view; ``paint`` repeats work only where something changed."""

    def __init__(self, radiograph: Radiograph) -> None:
        self._pyramid = RadiographPyramid(radiograph)
        self._rendered_key: object = None
        self._rendered: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._drawn_key: object = None
        self._layer: QImage = QImage()

    def image(
        self, extent: Extent, view: ViewTransform, window: Window, *, inverted: bool, smooth: bool, around: QColor
    ) -> QImage:
        """Return RGB32 of the extent's size, ``around`` where the image is not."""
        key = (extent, view, window, inverted, smooth, around.rgb())
        if key != self._drawn_key:
            level = level_for(max(view.zoom, view.row_zoom))
            region = _region(extent, view, level)
            self._layer = QImage(extent.width, extent.height, QImage.Format.Format_RGB32)
            self._layer.fill(around)
            if region[2] > region[0] and region[3] > region[1]:
                pixels = self._render(level, region, window, inverted=inverted)
                _draw(self._layer, pixels, region, level, extent, view, smooth=smooth)
            self._drawn_key = key
        return self._layer

    def _render(self, level: int, region: Region, window: Window, *, inverted: bool) -> NDArray[np.uint8]:
        key = (level, region, window, inverted)
        if key != self._rendered_key:
            self._rendered = rendered_region(self._pyramid.level(level), region, window, inverted=inverted)
            self._rendered_key = key
        return self._rendered


class OverlayLayer:
    """A saliency map in colors, drawn for one view."""

    def __init__(self, saliency: SaliencyMap, radiograph: Radiograph) -> None:
        self._pyramid = MaximumPyramid(overlay_steps(saliency, radiograph))
        self._key: object = None
        self._layer: QImage = QImage()

    def image(self, extent: Extent, view: ViewTransform, style: OverlayStyle, *, smooth: bool) -> QImage:
        """Return premultiplied ARGB32 of the extent's size, transparent where the map says nothing."""
        key = (extent, view, style, smooth)
        if key != self._key:
            # One level coarser than the image's: magnified a little rather than reduced, no peak falls between samples.
            level = level_for(min(view.zoom, view.row_zoom)) + 1 if view.zoom < 1 else 0
            region = _region(extent, view, level)
            left, top, right, bottom = region
            self._layer = QImage(extent.width, extent.height, QImage.Format.Format_ARGB32_Premultiplied)
            self._layer.fill(0)
            if right > left and bottom > top:
                colors = overlay_palette(style)[self._pyramid.level(level)[top:bottom, left:right]]
                _draw(self._layer, colors, region, level, extent, view, smooth=smooth)
            self._key = key
        return self._layer


def rendered_region(radiograph: Radiograph, region: Region, window: Window, *, inverted: bool) -> NDArray[np.uint8]:
    """Return uint8 [bottom - top, right - left], the part (left, top, right, bottom) of a radiograph as displayed."""
    # Imported when the first image is shown: the window is up before the display pipeline is loaded.
    from kdistill_core.imaging.display import render

    left, top, right, bottom = region
    part = replace(
        radiograph,
        pixels=radiograph.pixels[top:bottom, left:right],
        padding=None if radiograph.padding is None else radiograph.padding[top:bottom, left:right],
    )
    return render(part, window, invert=inverted)


def as_image(pixels: Pixels) -> QImage:
    """Return an image over the memory of ``pixels``, which it keeps alive.

    uint8 [rows, columns] are grays, uint32 [rows, columns] are 0xAARRGGBB with premultiplied alpha.
    """
    memory = np.ascontiguousarray(pixels)
    depth = QImage.Format.Format_Grayscale8 if memory.itemsize == 1 else QImage.Format.Format_ARGB32_Premultiplied
    image = QImage(memory.data, memory.shape[1], memory.shape[0], memory.strides[0], depth)
    image.memory = memory  # type: ignore[attr-defined]  # QImage borrows it
    return image


def _region(extent: Extent, view: ViewTransform, level: int) -> Region:
    """Return the part (left, top, right, bottom) of a level that covers what is visible, in whole steps."""
    block = 1 << level
    left, top, right, bottom = extent.visible(view)
    if right <= left or bottom <= top:
        return 0, 0, 0, 0
    step = _REGION_STEP
    columns, rows = -(-extent.columns // block), -(-extent.rows // block)
    return (
        left // block // step * step,
        top // block // step * step,
        min(-(-right // (block * step)) * step, columns),
        min(-(-bottom // (block * step)) * step, rows),
    )


def _draw(
    layer: QImage,
    pixels: Pixels,
    region: Region,
    level: int,
    extent: Extent,
    view: ViewTransform,
    *,
    smooth: bool,
) -> None:
    """Draw a region of a level (grays, or colors with alpha) into the layer, in the transform of the view."""
    with QPainter(layer) as painter:
        if smooth:
            _draw_interpolated(painter, pixels, region, level, extent, view)
        else:
            _draw_nearest(painter, pixels, region, level, extent, view)


def _draw_interpolated(
    painter: QPainter,
    pixels: Pixels,
    region: Region,
    level: int,
    extent: Extent,
    view: ViewTransform,
) -> None:
    block = 1 << level
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    outer = QTransform(view.zoom, 0, 0, view.row_zoom, view.offset_x, view.offset_y)
    painter.setTransform(outer)
    # The last block of a level may reach past the image; what lies there is not image.
    painter.setClipRect(QRectF(0, 0, extent.columns, extent.rows))
    painter.setTransform(QTransform(block, 0, 0, block, region[0] * block, region[1] * block) * outer)
    source = as_image(pixels)
    if source.format() is QImage.Format.Format_Grayscale8:
        # QPainter interpolates 32-bit colors in a fast path of its own, twice as fast with the conversion included.
        source = source.convertToFormat(QImage.Format.Format_RGB32)
    painter.drawImage(0, 0, source)


def _draw_nearest(
    painter: QPainter,
    pixels: Pixels,
    region: Region,
    level: int,
    extent: Extent,
    view: ViewTransform,
) -> None:
    # Gathered here, because QPainter's own nearest neighbor steps in rounded fixed point and is off by a screen pixel
    # at fractional zooms: image and overlay could part at the edges of a pixel.
    left, columns = _covered(extent.width, view.offset_x, view.zoom, extent.columns)
    top, rows = _covered(extent.height, view.offset_y, view.row_zoom, extent.rows)
    if len(columns) and len(rows):
        columns, rows = (columns >> level) - region[0], (rows >> level) - region[1]
        # Columns first, on the few rows in sight: what remains is copying whole rows.
        in_sight = pixels[rows[0] : rows[-1] + 1].take(columns, axis=1)
        painter.drawImage(left, top, as_image(in_sight.take(rows - rows[0], axis=0)))


def _covered(length: int, offset: float, zoom: float, count: int) -> tuple[int, NDArray[np.intp]]:
    """Return the first screen pixel that the image covers, and from there on the image pixel under each center."""
    under = np.floor((np.arange(length) + 0.5 - offset) / zoom).astype(np.intp)
    inside = np.flatnonzero((under >= 0) & (under < count))
    return (int(inside[0]), under[inside]) if inside.size else (0, under[:0])
