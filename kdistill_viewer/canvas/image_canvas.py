"""The widget in the middle of the viewer: it owns the view and the mouse, the scene does the painting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from kdistill_core.records import Radiograph, SaliencyMap, Window
from kdistill_viewer.canvas.interaction import (
    Drag,
    Tool,
    cursor_for,
    drag_zoom_factor,
    dragged_window,
    tool_for,
    wheel_zoom_factor,
)
from kdistill_viewer.canvas.overlay import OverlayStyle
from kdistill_viewer.canvas.scene import Scene, export_image, paint_busy, paint_ring
from kdistill_viewer.canvas.transform import Extent, ViewTransform
from kdistill_viewer.theme import tokens

_SPINNER_INTERVAL_MS = 50
_SPINNER_STEP = 18  # degrees
_KEY_PAN = 40.0  # logical pixels a key press


@dataclass(frozen=True)
class PointerReading:
    """The image pixel under the pointer and its value in modality units."""

    x: int
    y: int
    value: float


class ImageCanvas(QWidget):
    """Shows one radiograph with its overlay; window by left drag, pan by middle, zoom by wheel and right drag."""

    window_changed = Signal(object)
    inverted_changed = Signal(bool)
    zoom_changed = Signal(float)
    pointer_moved = Signal(object)
    files_dropped = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = Scene()
        self._view: ViewTransform | None = None
        self._fits = True
        self._drag: Drag | None = None
        self._busy_text: str | None = None
        self._turn = 0
        self._drop_welcome = False
        self._spinner = QTimer(self, interval=_SPINNER_INTERVAL_MS)
        self._spinner.timeout.connect(self._turn_spinner)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMinimumSize(120, 120)
        self.setAccessibleName("Radiograph")

    def sizeHint(self) -> QSize:
        return QSize(800, 800)

    # What is shown

    def show_radiograph(self, radiograph: Radiograph | None) -> None:
        """Show a radiograph in its default window, fitted and without overlay; None empties the canvas."""
        self._drag = None
        self.unsetCursor()
        self._scene.set_radiograph(radiograph)
        self._view = None
        if radiograph is not None:
            # Imported with the first image, for the window to be up sooner.
            from kdistill_core.imaging.display import default_window

            self.set_window(default_window(radiograph))
            self.setCursor(cursor_for(None))
        self.inverted_changed.emit(False)
        self.pointer_moved.emit(None)
        self.fit()

    def radiograph(self) -> Radiograph | None:
        return self._scene.radiograph

    def set_window(self, window: Window) -> None:
        if self._scene.radiograph is not None and window != self._scene.window:
            self._scene.window = window
            self.update()
            self.window_changed.emit(window)

    def window(self) -> Window | None:  # type: ignore[override]  # the image's window hides QWidget.window()
        return self._scene.window

    def set_inverted(self, inverted: bool) -> None:  # noqa: FBT001 - a Qt slot
        if self._scene.radiograph is not None and inverted != self._scene.inverted:
            self._scene.inverted = inverted
            self.update()
            self.inverted_changed.emit(inverted)

    def set_smooth(self, smooth: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Interpolate at every zoom; otherwise the detector's pixels show beyond a zoom of 2."""
        self._scene.smooth_always = smooth
        self.update()

    def set_overlay(self, saliency: SaliencyMap | None, target_text: str = "") -> None:
        """Lay a map over the image; ``target_text`` names the sentence or word. Raises CanvasError on a misfit."""
        self._scene.set_overlay(saliency, target_text)
        self.update()

    def set_overlay_style(self, style: OverlayStyle) -> None:
        self._scene.style = style
        self.update()

    def set_busy(self, text: str | None) -> None:
        """Show that work goes on, in a corner; None when it is done."""
        self._busy_text = text
        if text is None:
            self._spinner.stop()
        elif not self._spinner.isActive():
            self._spinner.start()
        self.update()

    def set_message(self, text: str, advice: str = "") -> None:
        """Say in plain words why there is no image; shown only while there is none."""
        self._scene.message, self._scene.advice = text, advice
        self.update()

    def to_image(self) -> QImage:
        """Return what is shown, notice burnt in, at the screen's resolution."""
        self._ensure_view()
        return export_image(
            self._scene, QRectF(self.rect()), self.font(), self._extent(), self._view, self.devicePixelRatioF()
        )

    # View

    def view_transform(self) -> ViewTransform | None:
        """Return how image coordinates map to the device pixels of the canvas; None without an image."""
        self._ensure_view()
        return self._view

    def fit(self) -> None:
        """Show the whole image and keep it whole when the canvas is resized."""
        self._fits = True
        extent = self._extent()
        if extent is not None:
            self._set_view(extent.fitted())
        self.update()

    def actual_size(self) -> None:
        """Show one image pixel on one screen pixel."""
        extent = self._extent()
        self._ensure_view()
        if extent is not None and self._view is not None:
            self._fits = False
            self._set_view(extent.actual_size(self._view))

    def zoom_by(self, factor: float) -> None:
        """Zoom about the middle of the canvas."""
        extent = self._extent()
        if extent is not None:
            self._zoom_about(factor, QPointF(extent.width / 2, extent.height / 2))

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels."""
        extent = self._extent()
        self._ensure_view()
        if extent is not None and self._view is not None:
            self._fits = False
            ratio = self.devicePixelRatioF()
            self._set_view(extent.kept_in_sight(self._view.panned(dx * ratio, dy * ratio)))

    def _extent(self) -> Extent | None:
        radiograph = self._scene.radiograph
        if radiograph is None:
            return None
        spacing = radiograph.spacing
        aspect = spacing.row_mm / spacing.column_mm if spacing.row_mm and spacing.column_mm else 1.0
        ratio = self.devicePixelRatioF()
        height = self._scene.image_height(self.width(), self.height(), self.font())
        return Extent(
            radiograph.rows,
            radiograph.columns,
            max(round(self.width() * ratio), 1),
            max(round(height * ratio), 1),
            aspect,
        )

    def _ensure_view(self) -> None:
        if self._view is None and self._scene.radiograph is not None:
            self.fit()

    def _set_view(self, view: ViewTransform) -> None:
        previous, self._view = self._view, view
        self.update()
        if previous is None or previous.zoom != view.zoom:
            self.zoom_changed.emit(view.zoom)

    def _zoom_about(self, factor: float, at: QPointF) -> None:
        extent = self._extent()
        self._ensure_view()
        if extent is None or self._view is None:
            return
        lowest, highest = extent.zoom_range
        zoom = min(max(self._view.zoom * factor, lowest), highest)
        if not math.isclose(zoom, self._view.zoom, rel_tol=1e-9):
            self._fits = False
            self._set_view(extent.kept_in_sight(self._view.zoomed(zoom, at.x(), at.y())))

    # Events

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        self._ensure_view()
        painter = QPainter(self)
        area = QRectF(self.rect())
        free = self._scene.paint(painter, area, self.font(), self._extent(), self._view, self.devicePixelRatioF())
        if self._busy_text is not None:
            paint_busy(painter, free, self._busy_text, self._turn, self._scene.fonts(self.font()))
        if self._drop_welcome:
            paint_ring(painter, area, tokens.SUCCESS)
        elif self.hasFocus():
            paint_ring(painter, area, tokens.FOCUS)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        extent = self._extent()
        if extent is not None and self._view is not None:
            if self._fits:
                self._set_view(extent.fitted())
            else:
                ratio = self.devicePixelRatioF()
                change = (event.size() - event.oldSize()) * ratio / 2
                view = self._view.panned(change.width(), change.height())
                self._set_view(extent.kept_in_sight(view.aligned() if view.zoom == 1 else view))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        tool = tool_for(event.button())
        self._ensure_view()
        if tool is None or self._drag is not None or self._view is None or self._scene.window is None:
            event.ignore()
            return
        self._drag = Drag(tool, event.button(), event.position(), self._view, self._scene.window)
        self.setCursor(cursor_for(tool))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        drag, extent = self._drag, self._extent()
        if drag is not None and extent is not None:
            moved = event.position() - drag.start
            ratio = self.devicePixelRatioF()
            if drag.tool is Tool.WINDOW:
                self.set_window(dragged_window(drag.window, moved.x(), moved.y(), self._scene.data_range))
            elif drag.tool is Tool.PAN and moved != QPointF():
                self._fits = False
                self._set_view(extent.kept_in_sight(drag.view.panned(moved.x() * ratio, moved.y() * ratio)))
            elif drag.tool is Tool.ZOOM and self._view is not None:
                factor = drag.view.zoom * drag_zoom_factor(moved.y()) / self._view.zoom
                self._zoom_about(factor, drag.start * ratio)
        self._read_pointer(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None and event.button() == self._drag.button:
            self._drag = None
            self.setCursor(cursor_for(None))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: ARG002
        self.pointer_moved.emit(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._zoom_about(wheel_zoom_factor(event), event.position() * self.devicePixelRatioF())
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_about(1 + event.value(), event.position() * self.devicePixelRatioF())
            return True
        if event.type() in (QEvent.Type.DevicePixelRatioChange, QEvent.Type.FontChange):
            self._view = None
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        directions = {
            Qt.Key.Key_Left: (_KEY_PAN, 0.0),
            Qt.Key.Key_Right: (-_KEY_PAN, 0.0),
            Qt.Key.Key_Up: (0.0, _KEY_PAN),
            Qt.Key.Key_Down: (0.0, -_KEY_PAN),
        }
        direction = directions.get(Qt.Key(event.key()))
        if direction is None or self._scene.radiograph is None:
            super().keyPressEvent(event)
        else:
            self.pan_by(*direction)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            self._drop_welcome = True
            event.acceptProposedAction()
            self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: ARG002
        self._drop_welcome = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_welcome = False
        self.update()
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.files_dropped.emit(paths)

    def _read_pointer(self, position: QPointF) -> None:
        radiograph, view = self._scene.radiograph, self._view
        if radiograph is None or view is None:
            return
        ratio = self.devicePixelRatioF()
        x, y = view.pixel_at(position.x() * ratio, position.y() * ratio)
        inside = 0 <= x < radiograph.columns and 0 <= y < radiograph.rows
        self.pointer_moved.emit(PointerReading(x, y, float(radiograph.pixels[y, x])) if inside else None)

    def _turn_spinner(self) -> None:
        self._turn = (self._turn + _SPINNER_STEP) % 360
        self.update()
