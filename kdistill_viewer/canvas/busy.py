"""The sign that work goes on: a turning arc with a few words, beside an image that stays visible."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from kdistill_viewer.canvas.annotation_layout import Fonts
from kdistill_viewer.canvas.text import StyledLine, text_block
from kdistill_viewer.theme import tokens

_SIZE = 14.0
_INTERVAL_MS = 60
_STEP = 20  # degrees


class Busy:
    """Turns on a widget as long as it has a text; an idle one costs no timer."""

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self._text: str | None = None
        self._turn = 0
        self._taken = QRectF()
        self._timer = QTimer(widget, interval=_INTERVAL_MS)
        self._timer.timeout.connect(self._advance)

    def set_text(self, text: str | None) -> None:
        """Start turning beside a text; None stops it."""
        self._text = text
        if text is None:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._widget.update()

    def paint(self, painter: QPainter, free: QRectF, fonts: Fonts) -> None:
        """Paint into the top right corner of the area that is free, nothing if there is no work."""
        if self._text is None:
            return
        block = text_block([StyledLine(self._text, fonts.small)], max(free.width() - _SIZE - 10, 1.0))
        circle = QRectF(free.right() - _SIZE, free.top() + 3, _SIZE, _SIZE)
        self._taken = circle.adjusted(-4, -4, 4, 4)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for color, width in ((tokens.ANNOTATION_OUTLINE, 4.5), (tokens.FOCUS, 2.5)):
            painter.setPen(QPen(QColor(color), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawArc(circle, -self._turn * 16, 270 * 16)
        middle = QFontMetricsF(fonts.small).height() / 2
        block.paint(painter, circle.left() - 8 - block.width, circle.center().y() - middle, Qt.AlignmentFlag.AlignRight)
        painter.restore()

    def _advance(self) -> None:
        self._turn = (self._turn + _STEP) % 360
        # Only the arc: repainting the whole canvas at this rate would cost a noticeable part of a core.
        self._widget.update(self._taken.toAlignedRect())
