from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter

from kdistill_core.imaging.identification import SideMarkers as Markers
from kdistill_core.records import Spacing, SpacingSource, Window
from kdistill_viewer.canvas import text
from kdistill_viewer.canvas.annotation_layout import (
    Annotations,
    Fonts,
    notice_block,
    paint_annotations,
    paint_message,
)
from kdistill_viewer.canvas.annotations import NOTICE, display_lines, scale_bar
from kdistill_viewer.canvas.overlay import OverlayStyle, bar_colors
from kdistill_viewer.canvas.text import StyledLine, broken_text, paint_outlined, text_block

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine Dr."
SIZES = [(120, 120), (120, 400), (160, 160), (240, 240), (400, 130), (700, 640), (2000, 1500)]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """Replace the watch for widgets, timers and threads: none is made here, and it would cost more than the tests."""


@pytest.fixture
def metrics(qapp) -> QFontMetricsF:
    return QFontMetricsF(QFont())


@pytest.mark.parametrize("width", [15, 40, 80, 200, 1000])
def test_broken_lines_fit_their_width(metrics, width):
    for line in broken_text(LONG_NAME, metrics, width, 4):
        assert metrics.horizontalAdvance(line) <= width


@pytest.mark.parametrize("width", [15, 40, 80, 200, 1000])
def test_nothing_is_lost_while_there_are_lines_left(metrics, width):
    lines = broken_text(LONG_NAME, metrics, width, 99)
    assert "".join(lines).replace(" ", "") == LONG_NAME.replace(" ", "")


def test_text_that_does_not_fit_ends_in_an_ellipsis(metrics):
    lines = broken_text(LONG_NAME, metrics, 80, 2)
    assert len(lines) == 2
    assert lines[1].endswith("\N{HORIZONTAL ELLIPSIS}")


def test_texts_break_at_blanks_where_they_can(metrics):
    assert broken_text("one two", metrics, metrics.horizontalAdvance("one tw"), 2) == ["one", "two"]
    assert broken_text("", metrics, 50, 2) == []


@pytest.mark.parametrize("width", [120, 200, 300, 900])
def test_notice_is_never_elided(qapp, width):
    block = notice_block(width, Fonts.of(QFont()))
    assert " ".join(line.text for line in block.lines) == NOTICE
    assert block.width <= width


def test_outlined_text_reads_on_any_gray(qapp):
    """Every glyph's bright body is next to dark, and dark next to bright: contrast does not depend on the image."""
    for gray in (0, 128, 200, 255):
        image = QImage(120, 30, QImage.Format.Format_RGB32)
        image.fill(QColor(gray, gray, gray))
        painter = QPainter(image)
        paint_outlined(painter, QRectF(5, 20, 1, 1).topLeft(), StyledLine("ID 4711", QFont()))
        painter.end()
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(30, 120, 4)[..., 1]
        assert pixels.max() >= 235
        assert pixels.min() <= 20


def annotations(width: float) -> Annotations:
    spacing = Spacing(0.15, 0.15, SpacingSource.DETECTOR)
    return Annotations(
        patient=(LONG_NAME, "ID HMH-2020-000123456789", "M, 67 y", "2020-04-01"),
        acquisition=("view not stated", "modality not stated", "frame 3 of 5"),
        display=display_lines(0.3, Window(2048, 4096), inverted=True),
        markers=Markers(left="R", right="L", top="H", bottom="F", note="assumed"),
        scale=scale_bar(spacing, 0.3, width * 0.22),
        overlay=("Integrated gradients", 'word "hazy" of the rationale', "relative to the map's own maximum"),
        colors=bar_colors(OverlayStyle()),
    )


def painted_outside(size: tuple[int, int], paint) -> int:
    """Return how many pixels beyond an area of ``size`` in the middle of a larger picture were painted."""
    margin = 300
    image = QImage(size[0] + 2 * margin, size[1] + 2 * margin, QImage.Format.Format_RGB32)
    image.fill(QColor("#406080"))
    painter = QPainter(image)
    paint(painter, QRectF(margin, margin, *size))
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width())
    touched = pixels != QColor("#406080").rgb()
    assert touched.any()
    touched[margin : margin + size[1], margin : margin + size[0]] = False
    return int(touched.sum())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("points", [8.0, 10.0, 16.0])
def test_no_annotation_reaches_beyond_the_tile(qapp, size, points):
    """What is painted without a clip stays inside, so nothing is cut off when there is one."""
    font = QFont()
    font.setPointSizeF(points)
    content, fonts = annotations(size[0]), Fonts.of(font)
    assert not painted_outside(size, lambda painter, area: paint_annotations(painter, area, content, fonts))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("points", [8.0, 10.0, 14.0])
@pytest.mark.parametrize("side", ["R", ""])
def test_no_two_annotations_overlap(qapp, monkeypatch, size, points, side):
    texts: list[tuple[str, QRectF]] = []

    def record(painter, baseline, line) -> None:
        bounds = QFontMetricsF(line.font).tightBoundingRect(line.text)
        texts.append((line.text, bounds.translated(baseline)))

    monkeypatch.setattr(text, "paint_outlined", record)
    font = QFont()
    font.setPointSizeF(points)
    content = annotations(size[0])
    if not side:
        content = dataclasses.replace(content, markers=Markers(note="side not stated"))
    image = QImage(*size, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    paint_annotations(painter, QRectF(0, 0, *size), content, Fonts.of(font))
    painter.end()
    assert texts
    overlapping = [
        (one, other) for (one, first), (other, second) in itertools.combinations(texts, 2) if first.intersects(second)
    ]
    assert not overlapping


@pytest.mark.parametrize("size", SIZES)
def test_no_message_reaches_beyond_the_tile(qapp, size):
    fonts = Fonts.of(QFont())
    problem = "The file a-very-long-file-name-without-any-blank-in-it.dcm is not a radiograph."
    assert not painted_outside(
        size, lambda painter, area: paint_message(painter, area, problem, "Open another file. " * 4, fonts)
    )


def test_block_is_as_high_as_its_lines(metrics):
    block = text_block([StyledLine("one two three", QFont())], metrics.horizontalAdvance("three "), wrapped=5)
    assert [line.text for line in block.lines] == ["one", "two", "three"]
    assert block.height == pytest.approx(3 * metrics.height())
