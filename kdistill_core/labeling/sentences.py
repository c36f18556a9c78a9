"""Sentences and sections of a report, as character spans of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdistill_core.records import Span

# Sections that say why the film was taken or what it is compared with, not what it shows.
_ASIDE = (
    r"indications?|(?:clinical |patient |medical |brief )?(?:history|information|data)|clinical indication|"
    r"comparisons?|technique|examination|exam|procedure|study|views?|"
    r"reason(?: for (?:the )?(?:exam(?:ination)?|study))?"
)
_SHOWN = r"findings?(?: and impression)?|impressions?|conclusions?|opinion|wet read|final report|interpretation|report"
_HEADING = re.compile(rf"\s*(?:(?P<aside>{_ASIDE})|(?P<shown>{_SHOWN}))\s*:", re.IGNORECASE)

# Full stops that end no sentence: abbreviations, and the number of a list item at the start of a sentence.
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|drs|mr|mrs|ms|vs|approx|no|st|e\.g|i\.e|cf|fig)|(?:^|\s)\d{1,2})$", re.IGNORECASE
)
# The end of a sentence, a blank line, or a heading in the middle of a line.
_BOUNDARY = re.compile(
    rf"[.!?]+[\"')\]]*(?=\s|$)|(?<=[a-z]{{4}})\.(?=[a-z]{{2}})|\n[ \t\r]*(?=\n)|(?=\b(?:{_ASIDE}|{_SHOWN})\s*:)",
    re.IGNORECASE,
)


def split_sentences(text: str) -> tuple[Span, ...]:
    """Return the span of every sentence of ``text``, without surrounding blanks and without section headings.

    Line breaks within a sentence do not end it; blank lines and headings do.
    """
    return tuple(span for span, _ in _sentences(text))


def shown_sentences(text: str) -> tuple[Span, ...]:
    """Return the sentences that say what the image shows: those outside indication, history, comparison, technique."""
    return tuple(span for span, aside in _sentences(text) if not aside)


def _sentences(text: str) -> Iterator[tuple[Span, bool]]:
    aside = False
    for start, end in _pieces(text):
        begin = start
        heading = _HEADING.match(text, start, end)
        if heading:
            aside = heading["aside"] is not None
            begin = heading.end()
        piece = text[begin:end]
        stripped = piece.strip()
        if any(character.isalnum() for character in stripped):
            first = begin + len(piece) - len(piece.lstrip())
            yield Span(first, first + len(stripped)), aside


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for boundary in _BOUNDARY.finditer(text):
        end = boundary.end()
        if boundary.group().startswith(".") and _ABBREVIATION.search(text, max(start, end - 9), boundary.start()):
            continue
        if end > start:
            yield start, end
        start = end
    if start < len(text):
        yield start, len(text)
