"""What the mouse does: which tool a button starts, and how far a movement takes it. No widget, no state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QCursor, QKeyEvent, QPainter, QPen, QPixmap, QWheelEvent

from kdistill_core.records import VoiFunction, Window
from kdistill_viewer.canvas.transform import ViewTransform

# A drag over this many logical pixels changes a window by its own width: a screen's width doubles it about three times.
_WINDOW_DRAG = 400.0
# A window narrower than this part of the data's range is dragged as if it were that wide, so that it can open again.
_SLOWEST_DRAG = 1 / 50
# A right drag over this many logical pixels changes the zoom e-fold.
_ZOOM_DRAG = 150.0
# One notch of a wheel (120 units) zooms by this factor; touchpads are scaled to feel alike.
_NOTCH_FACTOR = 1.2
_TOUCHPAD_PIXELS_PER_NOTCH = 60.0


# An arrow key pans by so many logical pixels; with Shift it windows as a drag over so many would.
KEY_PAN = 40.0
KEY_WINDOW = 10.0

_ARROWS: dict[int, tuple[float, float]] = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}


class Tool(StrEnum):
    """What a drag changes."""

    WINDOW = "window"
    PAN = "pan"
    ZOOM = "zoom"


_TOOLS = {
    Qt.MouseButton.LeftButton: Tool.WINDOW,
    Qt.MouseButton.MiddleButton: Tool.PAN,
    Qt.MouseButton.RightButton: Tool.ZOOM,
}


@dataclass(frozen=True)
class Drag:
    """A drag in progress; every movement is measured from its start, so that rounding cannot add up."""

    tool: Tool
    button: Qt.MouseButton
    start: QPointF  # logical pixels
    view: ViewTransform
    window: Window


def tool_for(button: Qt.MouseButton) -> Tool | None:
    """Return the tool that a mouse button starts."""
    return _TOOLS.get(button)


def dragged_window(start: Window, dx: float, dy: float, data_range: float) -> Window:
    """Return the window after a drag of (dx, dy) logical pixels: right widens, down raises the center.

    data_range: largest minus smallest pixel value, modality units; it bounds both how slow and how fast a drag is.
    """
    data_range = max(data_range, 1e-6)
    per_pixel = min(max(start.width, data_range * _SLOWEST_DRAG), data_range) / _WINDOW_DRAG
    # DICOM PS3.3 C.11.2.1.2: a LINEAR window is at least 1 wide.
    narrowest = 1.0 if start.function is VoiFunction.LINEAR else data_range / 4096
    return replace(
        start, width=max(start.width + dx * per_pixel, narrowest), center=start.center + dy * per_pixel, name=""
    )


def arrow_of(event: QKeyEvent) -> tuple[float, float] | None:
    """Return the direction (right, down) of an arrow key, None for other keys."""
    return _ARROWS.get(event.key())


def drag_zoom_factor(dy: float) -> float:
    """Return the factor by which a drag of ``dy`` logical pixels zooms; up zooms in."""
    return math.exp(-dy / _ZOOM_DRAG)


def wheel_zoom_factor(event: QWheelEvent) -> float:
    """Return the factor by which a turn of the wheel, or two fingers on a touchpad, zooms; away zooms in."""
    # pixelDelta is to be trusted only within a scroll phase: on X11 plain wheels report it too, in driver's units.
    if event.phase() != Qt.ScrollPhase.NoScrollPhase and not event.pixelDelta().isNull():
        return float(_NOTCH_FACTOR ** (event.pixelDelta().y() / _TOUCHPAD_PIXELS_PER_NOTCH))
    return float(_NOTCH_FACTOR ** (event.angleDelta().y() / 120))


def cursor_for(tool: Tool | None) -> QCursor:
    """Return the cursor that says what a drag is doing; without a drag, the one for pointing at pixels."""
    if tool is Tool.WINDOW:
        return _window_cursor()
    if tool is Tool.PAN:
        return QCursor(Qt.CursorShape.ClosedHandCursor)
    if tool is Tool.ZOOM:
        return QCursor(Qt.CursorShape.SizeVerCursor)
    return QCursor(Qt.CursorShape.CrossCursor)


def _window_cursor() -> QCursor:
    """Draw the half-filled disc that stands for brightness and contrast; no system cursor does."""
    pixmap = QPixmap(24, 24)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("black"), 4))
        painter.drawEllipse(QPointF(12, 12), 8, 8)
        painter.setPen(QPen(QColor("white"), 2))
        painter.setBrush(QColor("black"))
        painter.drawEllipse(QPointF(12, 12), 8, 8)
        painter.setBrush(QColor("white"))
        painter.drawPie(4, 4, 16, 16, 90 * 16, 180 * 16)
    return QCursor(pixmap, 12, 12)
