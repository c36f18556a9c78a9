"""Where the annotations go: corners first, then markers, color bar and scale bar in what is left.

Small tiles lose detail in a fixed order. The patient's name and id go last: an image without them must not be shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from kdistill_core.imaging.identification import SideMarkers
from kdistill_viewer.canvas.annotations import NOTICE, ScaleBar
from kdistill_viewer.canvas.rendering import as_image
from kdistill_viewer.canvas.text import StyledLine, TextBlock, text_block
from kdistill_viewer.theme import tokens

_MARGIN = 8.0
_GAP = 6.0
_BAR_WIDTH = 12.0
_SHORTEST_BAR = 48.0
_LONGEST_BAR = 220.0
# Room beside the patient's lines that is worth using for a notice of work going on.
_BUSY_CHARACTERS = 30
_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight


@dataclass(frozen=True)
class Fonts:
    """The canvas's type sizes, derived from one font in points."""

    normal: QFont
    small: QFont
    strong: QFont
    marker: QFont

    @classmethod
    def of(cls, font: QFont) -> Fonts:
        """Derive the sizes from a widget's font."""
        points = font.pointSizeF() if font.pointSizeF() > 0 else tokens.FONT_POINTS
        return cls(
            _sized(font, points),
            _sized(font, points * 0.85),
            _sized(font, points, bold=True),
            _sized(font, points * 1.5, bold=True),
        )


@dataclass(frozen=True)
class Annotations:
    """Everything that is written over the image."""

    patient: tuple[str, ...]
    acquisition: tuple[str, ...]
    display: tuple[str, ...]
    markers: SideMarkers
    scale: ScaleBar | None  # length in logical pixels here
    overlay: tuple[str, ...] = ()
    colors: NDArray[np.uint32] | None = None  # [steps, 1], 0xAARRGGBB from high to low; None without an overlay


def paint_annotations(painter: QPainter, area: QRectF, content: Annotations, fonts: Fonts) -> QRectF:
    """Paint the annotations into ``area``, logical pixels; returns where a notice of work going on may stand."""
    inner = area.adjusted(_MARGIN, _MARGIN / 2, -_MARGIN, -_MARGIN / 2)
    top, corner = _paint_top(painter, inner, content, fonts)
    bottom = _paint_bottom(painter, QRectF(inner.left(), top, inner.width(), inner.bottom() - top), content, fonts)
    free = QRectF(inner.left(), top, inner.width(), max(bottom - top, 0.0)).adjusted(0, _GAP, 0, -_GAP)
    beside = free if content.colors is None else _paint_color_bar(painter, free, content, content.colors, fonts)
    _paint_side_markers(painter, beside, content.markers, fonts)
    # Beside a bar the whole height is free; above a caption that stands alone it is not.
    ends = free if beside.width() < free.width() else beside
    _paint_end_markers(painter, ends, content.markers, fonts)
    return corner


def notice_block(width: float, fonts: Fonts) -> TextBlock:
    """Return the notice broken to a canvas's width."""
    # As many lines as it takes: this is the one text that is never elided.
    return text_block([StyledLine(NOTICE, fonts.small, tokens.NOTICE_TEXT)], max(width - 2 * _GAP, 1.0), wrapped=9)


def notice_height(width: float, fonts: Fonts) -> float:
    """Return the height in logical pixels of the strip that holds the notice."""
    return notice_block(width, fonts).height + 4


def paint_notice(painter: QPainter, strip: QRectF, fonts: Fonts) -> None:
    """Paint the notice on its own ground, so that no image lies beneath it."""
    painter.fillRect(strip, QColor(tokens.NOTICE_SURFACE))
    block = notice_block(strip.width(), fonts)
    block.paint(painter, strip.center().x() - block.width / 2, strip.top() + 2, Qt.AlignmentFlag.AlignHCenter)


def paint_message(painter: QPainter, area: QRectF, text: str, advice: str, fonts: Fonts) -> None:
    """Paint a message and what to do about it in the middle of an empty canvas."""
    width = max(min(area.width() - 2 * _MARGIN, 520.0), 1.0)
    lines = [StyledLine(part, fonts.strong, tokens.TEXT) for part in text.splitlines()]
    lines += [StyledLine(part, fonts.normal, tokens.TEXT_MUTED) for part in advice.splitlines()]
    block = text_block(lines, width, wrapped=6)
    if block.height > area.height():
        block = text_block(lines[:1], width, wrapped=3)
    center = area.center()
    block.paint(painter, center.x() - block.width / 2, center.y() - block.height / 2, Qt.AlignmentFlag.AlignHCenter)


def _paint_top(painter: QPainter, inner: QRectF, content: Annotations, fonts: Fonts) -> tuple[float, QRectF]:
    """Paint patient and acquisition; returns the y below them, and what is free below the acquisition."""
    patient = [
        StyledLine(text, fonts.strong if index == 0 else fonts.normal) for index, text in enumerate(content.patient)
    ]
    acquisition = [StyledLine(text, fonts.normal) for text in content.acquisition]
    half = (inner.width() - _GAP) / 2
    right = text_block(acquisition, half)
    left = text_block(patient, inner.width() - _GAP - right.width, wrapped=3)
    wanted = QFontMetricsF(fonts.normal).averageCharWidth() * 14
    if inner.width() - _GAP - right.width < wanted:
        right = text_block([], half)
        left = text_block([*patient, *acquisition], inner.width(), wrapped=3)
    if max(left.height, right.height) > inner.height():
        right = text_block([], half)
        left = text_block(patient[:2], inner.width(), wrapped=3)
        if left.height > inner.height():
            left = text_block(patient[:2], inner.width(), wrapped=1)
    left.paint(painter, inner.left(), inner.top(), _LEFT)
    right.paint(painter, inner.right() - right.width, inner.top(), _RIGHT)
    below = inner.top() + max(left.height, right.height)
    beside = inner.right() - inner.left() - left.width - _GAP
    if right.lines and beside >= QFontMetricsF(fonts.small).averageCharWidth() * _BUSY_CHARACTERS:
        y = inner.top() + right.height
        return below, QRectF(inner.right() - beside, y, beside, inner.bottom() - y)
    return below, QRectF(inner.left(), below, inner.width(), inner.bottom() - below)


def _paint_bottom(painter: QPainter, inner: QRectF, content: Annotations, fonts: Fonts) -> float:
    """Paint display state and scale bar; returns the y above them."""
    right = text_block([StyledLine(content.scale.label, fonts.small)] if content.scale else [], inner.width())
    bar = content.scale.length if content.scale else 0.0
    taken = max(right.width, bar)
    left = text_block([StyledLine(text, fonts.normal) for text in content.display], inner.width(), wrapped=1)
    beside = left.width + _GAP + taken <= inner.width()
    scale_height = right.height + 8 if content.scale else 0.0
    if not beside:
        left = text_block([StyledLine(text, fonts.small) for text in content.display], inner.width(), wrapped=1)
    height = max(left.height, scale_height) if beside else left.height + scale_height
    if height > inner.height():
        height = left.height
        if height > inner.height():
            return inner.bottom()
        left.paint(painter, inner.left(), inner.bottom() - height, _LEFT)
        return inner.bottom() - height
    left.paint(painter, inner.left(), inner.bottom() - left.height, _LEFT)
    if content.scale:
        base = inner.bottom() if beside else inner.bottom() - left.height
        _paint_scale(painter, QPointF(inner.right(), base), content.scale.length, right)
    return inner.bottom() - height


def _paint_scale(painter: QPainter, corner: QPointF, length: float, label: TextBlock) -> None:
    y = corner.y() - 4
    left = corner.x() - length
    for color, width in ((tokens.ANNOTATION_OUTLINE, 4.0), (tokens.ANNOTATION, 1.5)):
        painter.setPen(QPen(QColor(color), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        grown = (width - 1.5) / 2
        painter.drawLine(QPointF(left - grown, y), QPointF(corner.x() + grown, y))
        for x in (left, corner.x()):
            painter.drawLine(QPointF(x, y - 4 - grown), QPointF(x, y + 3))
    label.paint(painter, corner.x() - label.width, y - 4 - label.height, _RIGHT)


def _paint_side_markers(painter: QPainter, free: QRectF, markers: SideMarkers, fonts: Fonts) -> None:
    width = free.width() / 2 - _GAP if markers.left else free.width()
    note = text_block([StyledLine(markers.note, fonts.small, tokens.ANNOTATION_MUTED)], width)
    for text, alignment in ((markers.left, _LEFT), (markers.right, _RIGHT)):
        letter = text_block([StyledLine(text, fonts.marker)], free.width() / 2)
        height = letter.height + note.height
        if height > free.height():
            continue
        x = free.left() if alignment is _LEFT else free.right() - letter.width
        y = free.center().y() - letter.height / 2
        y = min(y, free.bottom() - height)
        letter.paint(painter, x, y, alignment)
        if markers.note and (text or alignment is _LEFT):
            x = free.left() if alignment is _LEFT else free.right() - note.width
            note.paint(painter, x, y + letter.height, alignment)


def _paint_end_markers(painter: QPainter, free: QRectF, markers: SideMarkers, fonts: Fonts) -> None:
    for text, at_top in ((markers.top, True), (markers.bottom, False)):
        letter = text_block([StyledLine(text, fonts.marker)], free.width())
        if letter.height <= free.height():
            y = free.top() if at_top else free.bottom() - letter.height
            letter.paint(painter, free.center().x() - letter.width / 2, y, _LEFT)


def _paint_color_bar(
    painter: QPainter, free: QRectF, content: Annotations, colors: NDArray[np.uint32], fonts: Fonts
) -> QRectF:
    """Paint the color bar at the right with its caption below; returns what stays free beside the bar."""
    lines = [StyledLine(text, fonts.small) for text in content.overlay]
    caption = text_block(lines, min(free.width() * 0.45, 225.0), wrapped=3)
    length = min(free.height() - caption.height - _GAP, _LONGEST_BAR)
    if length < _SHORTEST_BAR:
        return _paint_caption_alone(painter, free, lines)
    ends = [text_block([StyledLine(text, fonts.small)], free.width()) for text in ("1", "0")]
    top = free.center().y() - (length + _GAP + caption.height) / 2
    bar = QRectF(free.right() - _BAR_WIDTH, top, _BAR_WIDTH, length)
    painter.setPen(QPen(QColor(tokens.ANNOTATION_OUTLINE), 1))
    painter.drawRect(bar.adjusted(-1, -1, 1, 1))
    painter.setPen(QPen(QColor(tokens.ANNOTATION_MUTED), 1))
    painter.drawRect(bar)
    painter.drawImage(bar, as_image(colors))
    taken = _BAR_WIDTH + 5 + max(block.width for block in ends)
    for block, y in ((ends[0], bar.top()), (ends[1], bar.bottom() - ends[1].height)):
        block.paint(painter, bar.left() - 5 - block.width, y, _RIGHT)
    caption.paint(painter, free.right() - caption.width, bar.bottom() + _GAP, _RIGHT)
    return QRectF(free.left(), bar.top(), free.width() - taken - _GAP, bar.height())


def _paint_caption_alone(painter: QPainter, free: QRectF, lines: list[StyledLine]) -> QRectF:
    """Paint as much of the overlay's caption as a small tile holds; returns what stays free above it."""
    for count in range(len(lines), 0, -1):
        caption = text_block(lines[:count], free.width())
        if caption.height <= free.height():
            caption.paint(painter, free.right() - caption.width, free.bottom() - caption.height, _RIGHT)
            return free.adjusted(0, 0, 0, -caption.height)
    return free


def _sized(font: QFont, points: float, *, bold: bool = False) -> QFont:
    sized = QFont(font)
    sized.setPointSizeF(points)
    sized.setBold(bold)
    return sized
