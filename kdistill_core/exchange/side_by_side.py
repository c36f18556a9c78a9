"""The explanation as one picture: image, overlay, findings, and both rationales with their marks.

The height follows the text, so nothing is cut off, and the research notice is part of the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import State
from kdistill_core.exchange.pictures import blended, color, displayed, overlay
from kdistill_core.exchange.presentation import (
    MARKS,
    MEANINGS,
    Passage,
    author_line,
    by_probability,
    image_line,
    method_line,
    model_line,
    probability_text,
    review_line,
    state_word,
    student_passages,
    target_line,
    teacher_passages,
)
from kdistill_core.exchange.sheet import INK, Sheet, Style, fitting, text_width, wrapped
from kdistill_core.imaging.identification import side_markers
from kdistill_core.records import Explanation, Finding, Radiograph, Rationale, SaliencyMap, Verdict

WIDTH = 1920
MARGIN = 32
PICTURE_BOX = (590, 620)  # width, height of the box a picture is fitted into
_BAR_WIDTH = 16
_MARKER = 32  # side of the box behind a side marker
_MARKER_STYLE = Style(size=22, color=INK.warning_ground, weight="bold")
# A mark for each thing that has to be said of some sentences and not of others; there are seldom more than three.
_NOTE_MARKS = ("°", "*", "†", "‡", "§", "¶")

BODY = Style()
QUIET = Style(size=15, color=INK.quiet)
SMALL = Style(size=14, color=INK.quiet)
WARNING = Style(size=16, color=INK.warning_ground)
HEADING = Style(size=21, weight="bold")
TITLE = Style(size=28, weight="bold")
NOTICE = Style(size=19, color=INK.warning_text, weight="bold")
MARK_COLORS = {
    Verdict.AGREED: INK.agreed,
    Verdict.CONTRADICTED: INK.contradicted,
    Verdict.ONLY_STUDENT: INK.quiet,
    Verdict.ONLY_TEACHER: INK.quiet,
    None: INK.quiet,
}


@dataclass(frozen=True)
class _Line:
    text: str
    style: Style
    mark: str = ""
    mark_style: Style = BODY


def draw(
    explanation: Explanation, radiograph: Radiograph, maps: Sequence[SaliencyMap], identity: str = ""
) -> NDArray[np.uint8]:
    """Return the picture, uint8 [height, 1920, 3]; the first of ``maps`` is the overlay shown.

    identity: the line that names the patient; empty where the patient is withheld.
    """
    column = (WIDTH - 3 * MARGIN) / 2
    student = _column("Student", explanation.student, student_passages(explanation), column)
    teacher = _column("Teacher", explanation.teacher, teacher_passages(explanation), column)
    footer = _footer(explanation, WIDTH - 2 * MARGIN)
    top = 150.0
    text_top = top + 40 + PICTURE_BOX[1] + 40
    text_height = max(_height(student), _height(teacher))
    footer_top = text_top + text_height + 36
    sheet = Sheet(WIDTH, round(footer_top + _height(footer) + MARGIN))

    _header(sheet, explanation, identity)
    _pictures(sheet, top, explanation, radiograph, maps)
    _findings(sheet, WIDTH - MARGIN - 520, top, 520, explanation.findings)
    _set(sheet, MARGIN, text_top, student)
    _set(sheet, 2 * MARGIN + column, text_top, teacher)
    sheet.box(MARGIN, footer_top - 18, WIDTH - 2 * MARGIN, 1, INK.line)
    _set(sheet, MARGIN, footer_top, footer)
    return sheet.pixels()


def _header(sheet: Sheet, explanation: Explanation, identity: str) -> None:
    sheet.box(0, 0, WIDTH, 44, INK.warning_ground)
    sheet.text(WIDTH / 2, 10, explanation.notice, NOTICE, anchor="center")
    sheet.text(MARGIN, 58, "K-Distill explanation", TITLE)
    sheet.text(WIDTH - MARGIN, 64, identity or "Patient withheld", BODY, anchor="right")
    line = image_line(explanation.image)
    sheet.text(MARGIN, 102, line, fitting(line, WIDTH - 2 * MARGIN, QUIET))


def _pictures(
    sheet: Sheet, top: float, explanation: Explanation, radiograph: Radiograph, maps: Sequence[SaliencyMap]
) -> None:
    gray = displayed(radiograph, 1024)
    width, height = _fitted(gray.shape[1], gray.shape[0])
    left, second = MARGIN, MARGIN + PICTURE_BOX[0] + 24
    sheet.text(left, top, "Image", HEADING)
    sheet.picture(left, top + 40, width, height, gray)
    _side_markers(sheet, left, top + 40, (width, height), radiograph)
    if not maps:
        sheet.text(second, top, "No overlay was computed", HEADING)
        return
    shown = maps[0]
    title = f"{target_line(shown.target, explanation.student)} · {method_line(shown)}"
    sheet.text(second, top, title, fitting(title, PICTURE_BOX[0] + 60, HEADING))
    sheet.picture(second, top + 40, width, height, blended(gray, overlay(shown.values, *gray.shape)))
    _side_markers(sheet, second, top + 40, (width, height), radiograph)
    _color_bar(sheet, second + width + 12, top + 40, height)
    if shown.note:
        for line, text in enumerate(wrapped(shown.note, width, SMALL)):
            sheet.text(second, top + 44 + height + line * SMALL.leading, text, SMALL)


def _fitted(columns: int, rows: int) -> tuple[float, float]:
    scale = min(PICTURE_BOX[0] / columns, PICTURE_BOX[1] / rows)
    return columns * scale, rows * scale


def _side_markers(sheet: Sheet, left: float, top: float, size: tuple[float, float], radiograph: Radiograph) -> None:
    """Write the patient's sides over the picture of ``size`` (width, height), and what has to be said of them."""
    width, height = size
    markers = side_markers(radiograph)
    middle = left + (width - _MARKER) / 2
    places = (
        (markers.left, left + 8, top + 8),
        (markers.right, left + width - _MARKER - 8, top + 8),
        (markers.top, middle, top + 8),
        (markers.bottom, middle, top + height - _MARKER - 8),
    )
    for letter, x, y in places:
        if letter:
            sheet.box(x, y, _MARKER, _MARKER, INK.ground)
            sheet.text(x + _MARKER / 2, y + 4, letter, _MARKER_STYLE, anchor="center")
    if markers.note:
        y = top + 8 + (_MARKER + 4 if markers.left else 0)
        sheet.box(left + 8, y, text_width(markers.note, SMALL) + 8, 20, INK.ground)
        sheet.text(left + 12, y + 2, markers.note, SMALL)


def _color_bar(sheet: Sheet, left: float, top: float, height: float) -> None:
    ramp = color(np.linspace(1, 0, 256, dtype=np.float32)[:, None])
    # Over a mid gray, as the overlay lies over the image.
    sheet.picture(left, top, _BAR_WIDTH, height, blended(np.full((256, 1), 96, dtype=np.uint8), ramp))
    for share, y in ((1.0, top), (0.5, top + height / 2 - 8), (0.0, top + height - 18)):
        sheet.text(left + _BAR_WIDTH + 6, y, f"{share:.1f}", SMALL)


def _findings(sheet: Sheet, left: float, top: float, width: float, findings: tuple[Finding, ...]) -> None:
    sheet.text(left, top, "Findings", HEADING)
    step = 44
    name_width, bar_left, bar_width = 285, left + 300, width - 300 - 76
    for row, finding in enumerate(by_probability(findings)):
        y = top + 42 + row * step
        positive = finding.state is State.POSITIVE
        style = Style(weight="bold") if positive else Style(color=INK.quiet)
        sheet.text(left, y, finding.condition.value, fitting(finding.condition.value, name_width, style))
        sheet.text(left, y + 22, state_word(finding), Style(size=13, color=INK.quiet))
        if finding.probability is None:
            continue
        sheet.box(bar_left, y + 6, bar_width, 10, INK.panel)
        sheet.box(bar_left, y + 6, bar_width * finding.probability, 10, INK.accent if positive else INK.line)
        if finding.threshold is not None:
            sheet.box(bar_left + bar_width * finding.threshold - 1, y + 1, 2, 20, INK.text)
        sheet.text(left + width, y, probability_text(finding.probability), style, anchor="right")


def _column(title: str, rationale: Rationale, passages: tuple[Passage, ...], width: float) -> list[_Line]:
    lines = [_Line(title, HEADING)]
    about = [line for line in (author_line(rationale), review_line(rationale)) if line]
    lines += [_Line(text, QUIET) for line in about for text in wrapped(line, width, QUIET)]
    if not rationale.complete:
        lines.append(_Line("This text stops early: it was canceled or reached the length limit.", QUIET))
    marks = _note_marks(passages)
    for passage in passages:
        mark_style = Style(weight="bold", color=MARK_COLORS[passage.verdict])
        color_of_text = INK.contradicted if passage.verdict is Verdict.CONTRADICTED else INK.text
        text = f"{passage.text} {marks[passage.note]}" if passage.note else passage.text
        first, *rest = wrapped(text, width - 30, BODY)
        lines.append(_Line(first, Style(color=color_of_text), passage.mark, mark_style))
        lines += [_Line(text, Style(color=color_of_text), " ", mark_style) for text in rest]
    if not passages:
        lines.append(_Line("Nothing was written.", QUIET))
    return lines


def _note_marks(passages: Sequence[Passage]) -> dict[str, str]:
    """Return the mark of each note, in the order of the text."""
    notes = dict.fromkeys(passage.note for passage in passages if passage.note)
    count = len(_NOTE_MARKS)
    return {note: _NOTE_MARKS[place % count] * (1 + place // count) for place, note in enumerate(notes)}


def _footer(explanation: Explanation, width: float) -> list[_Line]:
    provenance = explanation.provenance
    legend = " · ".join(f"{MARKS[verdict]} {meaning}" for verdict, meaning in MEANINGS.items())
    texts = [
        f"Marks: {legend}",
        *[f"{mark} {note}" for note, mark in _note_marks(teacher_passages(explanation)).items()],
        *([f"Compared by: {explanation.comparison.method}"] if explanation.comparison.method else []),
        "Bars show calibrated probabilities; the upright line is the threshold from which a finding is called present "
        "(No Finding: only where nothing else is); implied: present because a more specific finding is.",
        f"Student {model_line(provenance) or 'unnamed'}, weights sha256 {provenance.weights_sha256 or 'unknown'}",
        f"K-Distill {provenance.software_version} · {provenance.created} · {provenance.device} "
        f"{provenance.precision} · seed {provenance.seed}",
    ]
    warnings = [_Line(line, WARNING) for text in explanation.warnings for line in wrapped(text, width, WARNING)]
    return warnings + [_Line(line, SMALL) for text in texts for line in wrapped(text, width, SMALL)]


def _height(lines: list[_Line]) -> float:
    return sum(line.style.leading for line in lines)


def _set(sheet: Sheet, left: float, top: float, lines: list[_Line]) -> None:
    y = top
    for line in lines:
        if line.mark:
            sheet.text(left, y, line.mark, line.mark_style)
        sheet.text(left + (30 if line.mark else 0), y, line.text, line.style)
        y += line.style.leading
