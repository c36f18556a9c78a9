"""Icons from the bundled SVG files, drawn sharp at any size and scaling."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap

from kdistill_core.resources import resource
from kdistill_viewer.theme import tokens

_COLORS = {
    (QIcon.Mode.Disabled, QIcon.State.Off): tokens.TEXT_DISABLED,
    (QIcon.Mode.Disabled, QIcon.State.On): tokens.TEXT_DISABLED,
    (QIcon.Mode.Selected, QIcon.State.Off): tokens.TEXT_ON_ACCENT,
    (QIcon.Mode.Selected, QIcon.State.On): tokens.TEXT_ON_ACCENT,
}


def icon(name: str) -> QIcon:
    """Return the icon of a file in ``resources/icons``, without its suffix. Raises ResourceError if there is none.

    QtSvg is not loaded before the icon is painted for the first time.
    """
    return QIcon(_SvgEngine(resource(f"icons/{name}.svg").read_text(encoding="utf-8")))


class _SvgEngine(QIconEngine):
    """Paints an SVG whose ink is ``currentColor`` in the theme's text color."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        # Imported when the first icon is painted, because QtSvg is a library more to load.
        from PySide6.QtSvg import QSvgRenderer

        color = _COLORS.get((mode, state), tokens.TEXT)
        renderer = QSvgRenderer(QByteArray(self._source.replace("currentColor", color).encode()))
        side = min(rect.width(), rect.height())
        target = QRectF(0, 0, side, side)
        target.moveCenter(QRectF(rect).center())
        renderer.render(painter, target)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(QColor(Qt.GlobalColor.transparent))
        with QPainter(pixmap) as painter:
            self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        return pixmap

    def clone(self) -> QIconEngine:
        return _SvgEngine(self._source)
