"""How a sentence stands to the other explanation, as a mark: a color and a symbol, never the color alone."""

from __future__ import annotations

from dataclasses import dataclass

from kdistill_core.records import Verdict
from kdistill_viewer.theme import tokens


@dataclass(frozen=True)
class VerdictMark:
    """A verdict as it is drawn, and what it means in words."""

    symbol: str
    color: str
    meaning: str


MARKS: dict[Verdict, VerdictMark] = {
    Verdict.AGREED: VerdictMark("=", tokens.AGREED, "Student and teacher agree"),
    Verdict.CONTRADICTED: VerdictMark("\N{NOT EQUAL TO}", tokens.CONTRADICTED, "Student and teacher contradict"),
    Verdict.ONLY_STUDENT: VerdictMark("S", tokens.STUDENT, "Only the student says this"),
    Verdict.ONLY_TEACHER: VerdictMark("T", tokens.TEACHER, "Only the teacher says this"),
}


def legend_html() -> str:
    """Return the legend of the marks as one line of rich text."""
    entries = [
        f'<span style="color:{mark.color}"><b>{mark.symbol}</b></span>&nbsp;{verdict.value.replace(" ", "&nbsp;")}'
        for verdict, mark in MARKS.items()
    ]
    return " &nbsp; ".join(entries)
