"""Sentences of a report, as character spans of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdistill_core.labeling import sections
from kdistill_core.records import Span

# Sections that say why the film was taken, what it is compared with or what is to be done, not what it shows.
_ASIDE = frozenset(
    {
        sections.INDICATION,
        sections.HISTORY,
        sections.COMPARISON,
        sections.TECHNIQUE,
        sections.EXAMINATION,
        sections.RECOMMENDATIONS,
        sections.NOTIFICATION,
        "date",
        "accession number",
        "signature",
        "end of impression",
    }
)
# Full stops that end no sentence: abbreviations, and the number of a list item, which is all there is before it.
_ABBREVIATION = re.compile(r"(?:\b(?:dr|drs|mr|mrs|ms|vs|approx|st|e\.g|i\.e|cf|fig))$", re.IGNORECASE)
_ITEM_NUMBER = re.compile(r"\s*\d{1,2}")
# The end of a sentence or a blank line.
_BOUNDARY = re.compile(
    r"[.!?]+[\"')\]]*(?=\s|$)|(?<=[a-z]{4})\.(?=[a-z]{2})|\n[ \t\r]*(?=\n)",
    re.IGNORECASE,
)


def split_sentences(text: str) -> tuple[Span, ...]:
    """Return the span of every sentence of ``text``, without surrounding blanks and without section headings.

    Line breaks within a sentence do not end it; blank lines and headings do.
    """
    return tuple(span for section in sections.split_sections(text) for span in _sentences(text, section.body))


def shown_sentences(text: str) -> tuple[Span, ...]:
    """Return the sentences that say what the image shows: those outside indication, history, comparison, technique."""
    return tuple(
        span
        for section in sections.split_sections(text)
        if section.name not in _ASIDE
        for span in _sentences(text, section.body)
    )


def _sentences(text: str, within: Span) -> Iterator[Span]:
    for start, end in _pieces(text, within):
        piece = text[start:end]
        stripped = piece.strip()
        if any(character.isalnum() for character in stripped):
            first = start + len(piece) - len(piece.lstrip())
            yield Span(first, first + len(stripped))


def _pieces(text: str, within: Span) -> Iterator[tuple[int, int]]:
    start = within.start
    for boundary in _BOUNDARY.finditer(text, within.start, within.end):
        end = boundary.end()
        if boundary.group().startswith(".") and (
            _ABBREVIATION.search(text, max(start, end - 9), boundary.start())
            or _ITEM_NUMBER.fullmatch(text, start, boundary.start())
        ):
            continue
        if end > start:
            yield start, end
        start = end
    if start < within.end:
        yield start, within.end
