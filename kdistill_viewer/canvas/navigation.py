"""The view as the reader moves it: fitted until zoomed or panned, then kept. Plain Python, no widget."""

from __future__ import annotations

import math

from kdistill_viewer.canvas.transform import Extent, ViewTransform


class Navigation:
    """Holds the view of one image; every method takes the extent as it is now, sizes in device pixels."""

    def __init__(self) -> None:
        self.view: ViewTransform | None = None
        self._fits = True

    def forget(self) -> None:
        """Start over with the next image."""
        self.view = None
        self._fits = True

    def settle(self, extent: Extent) -> None:
        """Give an image that has no view yet its first one: fitted."""
        if self.view is None:
            self.fit(extent)

    def fit(self, extent: Extent) -> None:
        """Show the whole image, and keep it whole when the area changes."""
        self._fits = True
        self.view = extent.fitted()

    def actual_size(self, extent: Extent) -> None:
        """Show one image pixel on one screen pixel."""
        self.settle(extent)
        if self.view is not None:
            self._fits = False
            self.view = extent.actual_size(self.view)

    def pan(self, extent: Extent, dx: float, dy: float) -> None:
        """Move the image; some of it stays in sight."""
        self.settle(extent)
        if self.view is not None:
            self.move_to(extent, self.view.panned(dx, dy))

    def move_to(self, extent: Extent, view: ViewTransform) -> None:
        """Take a view that the reader chose; some of the image stays in sight."""
        self._fits = False
        self.view = extent.kept_in_sight(view)

    def zoom(self, extent: Extent, factor: float, x: float, y: float) -> None:
        """Zoom about the device point (x, y), within the zoom range."""
        self.settle(extent)
        if self.view is None:
            return
        lowest, highest = extent.zoom_range
        zoom = min(max(self.view.zoom * factor, lowest), highest)
        if not math.isclose(zoom, self.view.zoom, rel_tol=1e-9):
            self.move_to(extent, self.view.zoomed(zoom, x, y))

    def resize(self, extent: Extent, wider: float, higher: float) -> None:
        """Follow an area that grew by so many device pixels: a fitted image refits, another keeps its middle."""
        if self.view is None or self._fits:
            self.fit(extent)
            return
        view = self.view.panned(wider / 2, higher / 2)
        self.view = extent.kept_in_sight(view.aligned() if view.zoom == 1 else view)
