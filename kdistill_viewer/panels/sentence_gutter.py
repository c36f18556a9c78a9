"""The left edge of a rationale: the number of each sentence and how it stands to the other explanation."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from kdistill_core.records import Verdict
from kdistill_viewer.panels.verdict_mark import MARKS
from kdistill_viewer.theme import tokens

_EDGE = 4


@dataclass(frozen=True)
class GutterRow:
    """A sentence as the gutter shows it: its number, its place from top to bottom, and how it is marked."""

    sentence: int
    top: int
    height: int
    verdict: Verdict | None
    lit: bool
    pinned: bool


class SentenceGutter(QWidget):
    """Numbers that can be hovered and clicked."""

    hovered = Signal(object)  # int | None
    clicked = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: tuple[GutterRow, ...] = ()
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def wanted_width(self) -> int:
        return _EDGE + 3 * self.fontMetrics().horizontalAdvance("0") + self._symbol_width() + 8

    def set_rows(self, rows: tuple[GutterRow, ...]) -> None:
        self.rows = rows
        self.update()

    def rectangle(self, sentence: int) -> QRect:
        """Return the place of a sentence's number, empty when there is no such sentence."""
        for row in self.rows:
            if row.sentence == sentence:
                return QRect(0, row.top, self.width(), row.height)
        return QRect()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(tokens.BASE))
        for row in self.rows:
            self._paint_row(painter, row)

    def _paint_row(self, painter: QPainter, row: GutterRow) -> None:
        place = QRect(0, row.top, self.width(), row.height)
        if row.pinned or row.lit:
            painter.fillRect(place, QColor(tokens.ACCENT if row.pinned else tokens.HOVER))
        line = QRect(place.left(), place.top(), place.width(), self.fontMetrics().height())
        if row.verdict is not None:
            mark = MARKS[row.verdict]
            painter.fillRect(QRect(0, place.top(), _EDGE, place.height() - 2), QColor(mark.color))
            painter.setPen(QColor(mark.color))
            bold = QFont(self.font())
            bold.setBold(True)
            painter.setFont(bold)
            symbol = line.adjusted(_EDGE + 2, 0, 0, 0)
            symbol.setWidth(self._symbol_width())
            painter.drawText(symbol, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop), mark.symbol)
            painter.setFont(self.font())
        painter.setPen(QColor(tokens.TEXT if row.lit or row.pinned else tokens.TEXT_MUTED))
        number = line.adjusted(0, 0, -4, 0)
        painter.drawText(number, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop), str(row.sentence + 1))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.hovered.emit(self._sentence_at(event.position().toPoint().y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        sentence = self._sentence_at(event.position().toPoint().y())
        if event.button() is Qt.MouseButton.LeftButton and sentence is not None:
            self.clicked.emit(sentence)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)
        super().leaveEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._tip(event.pos().y()), self)
            return True
        return super().event(event)

    def _tip(self, y: int) -> str:
        for row in self.rows:
            if row.top <= y < row.top + row.height:
                verdict = "" if row.verdict is None else f"{MARKS[row.verdict].meaning}. "
                return f"{verdict}Click for the overlay of sentence {row.sentence + 1}."
        return ""

    def _sentence_at(self, y: int) -> int | None:
        for row in self.rows:
            if row.top <= y < row.top + row.height:
                return row.sentence
        return None

    def _symbol_width(self) -> int:
        return self.fontMetrics().horizontalAdvance("\N{NOT EQUAL TO}") + 4
