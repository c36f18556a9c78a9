"""Where the image lies on the screen: pure mathematics, no widget.

Two frames. *Image*: columns and rows of the original image, the center of the first pixel at (0, 0). *Device*: real
screen pixels of the canvas, the outer corner of its first pixel at (0, 0), so that the device pixel ``i`` covers
[i, i + 1).  A zoom of 1 puts one image pixel on one device pixel, whatever the desktop's scaling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

MAXIMUM_ZOOM = 64.0
# Zoomed out no further than a thumbnail, and never off the screen: this many device pixels stay in sight.
SMALLEST_EXTENT = 32.0


@dataclass(frozen=True)
class ViewTransform:
    """Scales and shifts the image onto the screen; it never turns or mirrors.

    zoom: device pixels per image column.
    offset_x, offset_y: device position of the outer corner of the image's first pixel.
    pixel_aspect: height of an image pixel over its width, so that detectors with oblong pixels are shown true.
    """

    zoom: float
    offset_x: float
    offset_y: float
    pixel_aspect: float = 1.0

    @property
    def row_zoom(self) -> float:
        """Device pixels per image row."""
        return self.zoom * self.pixel_aspect

    def to_device(self, x: float, y: float) -> tuple[float, float]:
        """Map an image point to the device."""
        return self.offset_x + (x + 0.5) * self.zoom, self.offset_y + (y + 0.5) * self.row_zoom

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """Map a device point to the image."""
        return (x - self.offset_x) / self.zoom - 0.5, (y - self.offset_y) / self.row_zoom - 0.5

    def pixel_at(self, x: float, y: float) -> tuple[int, int]:
        """Return (column, row) of the image pixel that covers a device point; it may lie outside the image."""
        return math.floor((x - self.offset_x) / self.zoom), math.floor((y - self.offset_y) / self.row_zoom)

    def zoomed(self, zoom: float, x: float, y: float) -> ViewTransform:
        """Return the view at another zoom, with the image point under the device point (x, y) staying there."""
        factor = zoom / self.zoom
        return replace(
            self, zoom=zoom, offset_x=x + (self.offset_x - x) * factor, offset_y=y + (self.offset_y - y) * factor
        )

    def panned(self, dx: float, dy: float) -> ViewTransform:
        """Return the view moved by device pixels."""
        return replace(self, offset_x=self.offset_x + dx, offset_y=self.offset_y + dy)

    def aligned(self) -> ViewTransform:
        """Return the view with its corner on a whole device pixel, without which 1:1 would blur."""
        return replace(self, offset_x=float(round(self.offset_x)), offset_y=float(round(self.offset_y)))


@dataclass(frozen=True)
class Extent:
    """An image beside the area that shows it: rows and columns of the image, device pixels of the area."""

    rows: int
    columns: int
    width: int
    height: int
    pixel_aspect: float = 1.0

    @property
    def fit_zoom(self) -> float:
        """The zoom at which the whole image just fits."""
        return max(
            min(self.width / self.columns, self.height / (self.rows * self.pixel_aspect)),
            1e-6,  # an area without height must not make the transform singular
        )

    @property
    def zoom_range(self) -> tuple[float, float]:
        """The smallest and the largest zoom that interaction may reach; both contain fit and 1:1."""
        thumbnail = SMALLEST_EXTENT / max(self.columns, self.rows * self.pixel_aspect)
        fit = self.fit_zoom
        return min(fit, thumbnail, 1.0), max(fit, MAXIMUM_ZOOM)

    def centered(self, zoom: float) -> ViewTransform:
        """Return the view with the image's middle in the area's middle."""
        return ViewTransform(
            zoom,
            (self.width - self.columns * zoom) / 2,
            (self.height - self.rows * zoom * self.pixel_aspect) / 2,
            self.pixel_aspect,
        )

    def fitted(self) -> ViewTransform:
        """Return the view that shows the whole image, as large as the area allows."""
        return self.centered(self.fit_zoom)

    def actual_size(self, around: ViewTransform) -> ViewTransform:
        """Return the view with one image pixel per device pixel about the middle of ``around``."""
        return self.kept_in_sight(around.zoomed(1.0, self.width / 2, self.height / 2)).aligned()

    def kept_in_sight(self, view: ViewTransform) -> ViewTransform:
        """Return the view, moved as little as possible, with some of the image inside the area."""
        return replace(
            view,
            offset_x=_kept(view.offset_x, self.columns * view.zoom, self.width),
            offset_y=_kept(view.offset_y, self.rows * view.row_zoom, self.height),
        )

    def visible(self, view: ViewTransform) -> tuple[int, int, int, int]:
        """Return the half-open ranges (left, top, right, bottom) of the image pixels of which the area shows some."""
        left, top = view.pixel_at(0, 0)
        right, bottom = view.pixel_at(self.width, self.height)
        return (
            min(max(left, 0), self.columns),
            min(max(top, 0), self.rows),
            min(max(right + 1, 0), self.columns),
            min(max(bottom + 1, 0), self.rows),
        )


def _kept(offset: float, length: float, area: float) -> float:
    """Clamp an offset so that at least SMALLEST_EXTENT of the length (or all of it) overlaps [0, area]."""
    overlap = min(SMALLEST_EXTENT, length, area)
    return min(max(offset, overlap - length), area - overlap)
