"""The widget in the middle of the viewer: it owns the view and the mouse, the scene does the painting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
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
from kdistill_viewer.canvas.busy import Busy
from kdistill_viewer.canvas.file_drop import FileDrop
from kdistill_viewer.canvas.interaction import (
    KEY_PAN,
    KEY_WINDOW,
    Drag,
    Tool,
    arrow_of,
    cursor_for,
    drag_zoom_factor,
    dragged_window,
    tool_for,
    wheel_zoom_factor,
)
from kdistill_viewer.canvas.navigation import Navigation
from kdistill_viewer.canvas.overlay import OverlayStyle
from kdistill_viewer.canvas.scene import Scene, export_image, paint_ring
from kdistill_viewer.canvas.transform import Extent, ViewTransform
from kdistill_viewer.theme import tokens


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
        self._navigation = Navigation()
        self._drag: Drag | None = None
        self._busy = Busy(self)
        self._drop = FileDrop(self)
        self._drop.dropped.connect(self.files_dropped)
        self.setMouseTracking(True)
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
        self._navigation.forget()
        if radiograph is not None:
            # Imported with the first image, for the window to be up sooner.
            from kdistill_core.imaging.display import default_window

            self.set_window(default_window(radiograph))
            self.setCursor(cursor_for(None))
        self.inverted_changed.emit(False)
        self.pointer_moved.emit(None)
        self.fit()
        self.update()

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
        self._busy.set_text(text)

    def set_message(self, text: str, advice: str = "") -> None:
        """Say in plain words why there is no image; shown only while there is none."""
        self._scene.message, self._scene.advice = text, advice
        self.update()

    def to_image(self) -> QImage:
        """Return what is shown, notice burnt in, at the screen's resolution."""
        view, ratio = self.view_transform(), self.devicePixelRatioF()
        return export_image(self._scene, QRectF(self.rect()), self.font(), self._extent(), view, ratio)

    # View

    def view_transform(self) -> ViewTransform | None:
        """Return how image coordinates map to the device pixels of the canvas; None without an image."""
        self._navigate(self._navigation.settle)
        return self._navigation.view

    def fit(self) -> None:
        """Show the whole image and keep it whole when the canvas is resized."""
        self._navigate(self._navigation.fit)

    def actual_size(self) -> None:
        """Show one image pixel on one screen pixel."""
        self._navigate(self._navigation.actual_size)

    def zoom_by(self, factor: float) -> None:
        """Zoom about the middle of the canvas."""
        self._navigate(lambda extent: self._navigation.zoom(extent, factor, extent.width / 2, extent.height / 2))

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels."""
        ratio = self.devicePixelRatioF()
        self._navigate(lambda extent: self._navigation.pan(extent, dx * ratio, dy * ratio))

    def _zoom_about(self, factor: float, at: QPointF) -> None:
        """Zoom about a logical point."""
        point = at * self.devicePixelRatioF()
        self._navigate(lambda extent: self._navigation.zoom(extent, factor, point.x(), point.y()))

    def _navigate(self, step: Callable[[Extent], None]) -> None:
        """Take a step where there is an image, and tell what it changed."""
        extent = self._extent()
        if extent is None:
            return
        before = self._navigation.view
        step(extent)
        after = self._navigation.view
        if after is not None and after != before:
            self.update()
            if before is None or before.zoom != after.zoom:
                self.zoom_changed.emit(after.zoom)

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

    # Events

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        area, view, ratio = QRectF(self.rect()), self.view_transform(), self.devicePixelRatioF()
        with QPainter(self) as painter:
            free = self._scene.paint(painter, area, self.font(), self._extent(), view, ratio)
            self._busy.paint(painter, free, self._scene.fonts(self.font()))
            if self._drop.welcomes:
                paint_ring(painter, area, tokens.SUCCESS)
            elif self.hasFocus():
                paint_ring(painter, area, tokens.FOCUS)

    def resizeEvent(self, event: QResizeEvent) -> None:
        change = (event.size() - event.oldSize()) * self.devicePixelRatioF()
        self._navigate(lambda extent: self._navigation.resize(extent, change.width(), change.height()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        tool, view = tool_for(event.button()), self.view_transform()
        if tool is None or self._drag is not None or view is None or self._scene.window is None:
            event.ignore()
            return
        self._drag = Drag(tool, event.button(), event.position(), view, self._scene.window)
        self.setCursor(cursor_for(tool))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            self._follow(self._drag, event.position() - self._drag.start)
        self._read_pointer(event.position())

    def _follow(self, drag: Drag, moved: QPointF) -> None:
        view = self._navigation.view
        if drag.tool is Tool.WINDOW:
            self.set_window(dragged_window(drag.window, moved.x(), moved.y(), self._scene.data_range))
        elif drag.tool is Tool.PAN and not moved.isNull():
            target = drag.view.panned(moved.x() * self.devicePixelRatioF(), moved.y() * self.devicePixelRatioF())
            self._navigate(lambda extent: self._navigation.move_to(extent, target))
        elif drag.tool is Tool.ZOOM and view is not None:
            self._zoom_about(drag.view.zoom * drag_zoom_factor(moved.y()) / view.zoom, drag.start)

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
        self._zoom_about(wheel_zoom_factor(event), event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_about(1 + event.value(), event.position())
            return True
        if event.type() in (QEvent.Type.DevicePixelRatioChange, QEvent.Type.FontChange):
            # The picture keeps its place in logical pixels only by being fitted anew.
            self._navigation.forget()
            self.update()
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        arrow, window = arrow_of(event), self._scene.window
        if arrow is None or window is None:
            super().keyPressEvent(event)
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            dx, dy = arrow[0] * KEY_WINDOW, arrow[1] * KEY_WINDOW
            self.set_window(dragged_window(window, dx, dy, self._scene.data_range))
        else:
            self.pan_by(-arrow[0] * KEY_PAN, -arrow[1] * KEY_PAN)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def _read_pointer(self, position: QPointF) -> None:
        radiograph, view = self._scene.radiograph, self._navigation.view
        if radiograph is None or view is None:
            return
        ratio = self.devicePixelRatioF()
        x, y = view.pixel_at(position.x() * ratio, position.y() * ratio)
        inside = 0 <= x < radiograph.columns and 0 <= y < radiograph.rows
        self.pointer_moved.emit(PointerReading(x, y, float(radiograph.pixels[y, x])) if inside else None)
