"""Text over an image: broken into lines that fit, elided where a word does not, outlined to be read on any gray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from kdistill_viewer.theme import tokens

_OUTLINE = tuple(QPointF(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0) if x or y)
# A soft shadow about the rim: on a white image the rim alone leaves thin strokes hard to tell from one another.
_SHADOW = tuple(
    QPointF(x, y) for x, y in ((-2, 0), (2, 0), (0, -2), (0, 2), (-1.5, -1.5), (1.5, -1.5), (-1.5, 1.5), (1.5, 1.5))
)
_SHADOW_ALPHA = 70


@dataclass(frozen=True)
class StyledLine:
    """A line of text before it is broken, and how it is set."""

    text: str
    font: QFont
    color: str = tokens.ANNOTATION


@dataclass(frozen=True)
class TextBlock:
    """Lines that fit, with the size they take in logical pixels."""

    lines: tuple[StyledLine, ...]
    width: float
    height: float

    def paint(self, painter: QPainter, left: float, top: float, alignment: Qt.AlignmentFlag) -> None:
        """Paint the block into the box of ``width`` whose top left corner is given; lines are aligned within it."""
        for line in self.lines:
            metrics = QFontMetricsF(line.font)
            spare = self.width - metrics.horizontalAdvance(line.text)
            x = left + {Qt.AlignmentFlag.AlignRight: spare, Qt.AlignmentFlag.AlignHCenter: spare / 2}.get(alignment, 0)
            paint_outlined(painter, QPointF(x, top + metrics.ascent()), line)
            top += metrics.height()


def text_block(lines: Sequence[StyledLine], width: float, wrapped: int = 2) -> TextBlock:
    """Break lines to a width in logical pixels, each into at most ``wrapped`` lines, the rest elided."""
    broken = tuple(
        StyledLine(piece, line.font, line.color)
        for line in lines
        for piece in broken_text(line.text, QFontMetricsF(line.font), width, wrapped)
    )
    return TextBlock(
        broken,
        max((QFontMetricsF(line.font).horizontalAdvance(line.text) for line in broken), default=0.0),
        sum(QFontMetricsF(line.font).height() for line in broken),
    )


def broken_text(text: str, metrics: QFontMetricsF, width: float, most: int) -> list[str]:
    """Break a text into at most ``most`` lines of a width in logical pixels, at its blanks where it can.

    A word wider than a line is broken within: the end of an id is what tells two patients apart. What is left over
    ends in an ellipsis.
    """
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < most - 1 and metrics.horizontalAdvance(rest) > width:
        fitting = _fitting(rest, metrics, width)
        blank = rest.rfind(" ", 0, fitting + 1)
        end = blank if blank > 0 else fitting
        lines.append(rest[:end])
        rest = rest[end:].lstrip()
    return [*lines, metrics.elidedText(rest, Qt.TextElideMode.ElideRight, width)] if rest else lines


def _fitting(text: str, metrics: QFontMetricsF, width: float) -> int:
    """Return how many characters fit in a width, at least one."""
    count = 1
    while count < len(text) and metrics.horizontalAdvance(text[: count + 1]) <= width:
        count += 1
    return count


def paint_outlined(painter: QPainter, baseline: QPointF, line: StyledLine) -> None:
    """Paint a text with a dark rim, so that it reads on black, on white and on everything between."""
    painter.setFont(line.font)
    shadow = QColor(tokens.ANNOTATION_OUTLINE)
    shadow.setAlpha(_SHADOW_ALPHA)
    painter.setPen(shadow)
    for shift in _SHADOW:
        painter.drawText(baseline + shift, line.text)
    painter.setPen(QColor(tokens.ANNOTATION_OUTLINE))
    for shift in _OUTLINE:
        painter.drawText(baseline + shift, line.text)
    painter.setPen(QColor(line.color))
    painter.drawText(baseline, line.text)
