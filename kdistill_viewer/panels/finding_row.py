"""One finding as a row: its name, a bar for its probability with the threshold as a tick, and its state in words."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from kdistill_core.conditions import State
from kdistill_core.exchange.presentation import STATE_WORDS, state_word
from kdistill_core.records import Finding
from kdistill_viewer.theme import tokens

FINDING_ROLE = int(Qt.ItemDataRole.UserRole)

_STATE_COLORS = {
    State.POSITIVE: tokens.WARNING,
    State.UNCERTAIN: tokens.TEXT,
    State.NEGATIVE: tokens.TEXT_MUTED,
    State.BLANK: tokens.TEXT_MUTED,
}
_PADDING = 8
_WIDEST_NAME = "Enlarged Cardiomediastinum"
_WIDEST_STATE = max(STATE_WORDS.values(), key=len)
_WIDEST_NUMBER = "> 99 %"


def percent(probability: float) -> str:
    """Return a probability in whole percent; nothing is called certain or impossible by rounding."""
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else f"{probability * 100:.0f} %"


def spoken(finding: Finding) -> str:
    """Return a finding as one sentence, for screen readers and tooltips."""
    word = "present because a more specific finding implies it" if finding.implied else STATE_WORDS[finding.state]
    parts = [f"{finding.condition.value}: {word}"]
    if finding.probability is not None:
        parts.append(f"probability {percent(finding.probability)}")
    if finding.threshold is not None:
        parts.append(f"called present from {percent(finding.threshold)}")
    place = " ".join(part for part in (finding.side.value if finding.side else "", finding.place) if part)
    return ", ".join([*parts, place] if place else parts)


class FindingDelegate(QStyledItemDelegate):
    """Draws a finding; columns line up because every row is measured with the same words."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, option.fontMetrics.height() + 6)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        finding: Finding = index.data(FINDING_ROLE)
        painter.save()
        self._paint_surface(painter, option)
        metrics = option.fontMetrics
        inner = option.rect.adjusted(_PADDING, 0, -_PADDING, 0)
        name_width = min(metrics.horizontalAdvance(_WIDEST_NAME), inner.width() // 2)
        state_width = metrics.horizontalAdvance(_WIDEST_STATE)
        number_width = metrics.horizontalAdvance(_WIDEST_NUMBER)
        name = QRect(inner.left(), inner.top(), name_width, inner.height())
        state = QRect(inner.right() - state_width + 1, inner.top(), state_width, inner.height())
        number = QRect(state.left() - _PADDING - number_width, inner.top(), number_width, inner.height())
        bar = QRectF(name.right() + _PADDING, inner.top(), number.left() - name.right() - 2 * _PADDING, inner.height())
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.setPen(QColor(tokens.TEXT_ON_ACCENT if selected else tokens.TEXT))
        painter.drawText(name, _LEFT, metrics.elidedText(finding.condition.value, _ELIDE, name.width()))
        if finding.probability is not None:
            painter.drawText(number, _RIGHT, percent(finding.probability))
            if bar.width() > 20:
                _paint_bar(painter, bar, finding)
        painter.setPen(QColor(tokens.TEXT_ON_ACCENT if selected else _STATE_COLORS[finding.state]))
        painter.drawText(state, _LEFT, state_word(finding))
        painter.restore()

    def _paint_surface(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, option.palette.color(QPalette.ColorRole.Highlight))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, QColor(tokens.HOVER))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(tokens.FOCUS))
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_ELIDE = Qt.TextElideMode.ElideRight


def _paint_bar(painter: QPainter, area: QRectF, finding: Finding) -> None:
    probability = min(max(finding.probability or 0.0, 0.0), 1.0)
    groove = QRectF(area.left(), area.center().y() - 3, area.width(), 6)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(tokens.BORDER_STRONG), 1))
    painter.setBrush(QColor(tokens.CANVAS))
    painter.drawRoundedRect(groove, 3, 3)
    filled = QRectF(groove.left(), groove.top(), groove.width() * probability, groove.height())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(_STATE_COLORS[finding.state]))
    painter.drawRoundedRect(filled, 3, 3)
    if finding.threshold is not None:
        x = groove.left() + groove.width() * finding.threshold
        painter.setPen(QPen(QColor(tokens.TEXT), 2))
        painter.drawLine(QPointF(x, groove.top() - 4), QPointF(x, groove.bottom() + 4))
