"""A text of the literature with its sections kept, and what is known of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b", re.ASCII)


@dataclass(frozen=True)
class Section:
    """A part of a document; ``heading`` is empty where it has none."""

    heading: str
    text: str


@dataclass(frozen=True)
class Document:
    """One abstract, article, answer or plain text.

    id: source and number, such as ``pubmed:10704411``, the same for every version of a text. mesh: MeSH headings.
    language: ISO 639-2, as MEDLINE writes it (``eng``), empty where unknown. license: as the source states it, empty
    where it does not.
    """

    id: str
    title: str = ""
    sections: tuple[Section, ...] = ()
    year: int | None = None
    language: str = ""
    mesh: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    license: str = ""

    @cached_property
    def text(self) -> str:
        """The title and the sections, each on a paragraph of its own, headings before the text."""
        parts = [self.title, *(f"{part.heading}: {part.text}" if part.heading else part.text for part in self.sections)]
        return "\n\n".join(part for part in parts if part)

    @cached_property
    def words(self) -> int:
        """How many words the text has."""
        return len(self.text.split())


def one_line(text: str) -> str:
    """Return ``text`` with every run of blanks and line breaks as one blank."""
    return " ".join(text.split())


def year_in(text: str) -> int | None:
    """Return the first year that stands in ``text``, 1998 of ``1998 Dec-1999 Jan``; None where there is none."""
    found = _YEAR.search(text)
    return int(found.group()) if found else None
