"""Which documents a corpus takes, and how many each rule turned away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kdistill_core.corpora.documents import Document

# What an article says of itself rather than of its subject.
ABOUT_THE_ARTICLE = (
    "acknowledg", "author contribution", "authors' contribution", "competing interest", "conflict of interest",
    "funding", "pre-publication history", "data availability", "supporting information", "supplementary",
    "abbreviations", "ethic",
)  # fmt: skip
# As MEDLINE calls an article that was retracted, and the notice that retracts one.
RETRACTED, RETRACTION = "Retracted Publication", "Retraction of Publication"


@dataclass(frozen=True)
class Selection:
    """Rules of a corpus; an empty one holds for every document.

    mesh: a document needs a heading that begins with one of these, whatever the case; one without headings is taken
    only where ``without_mesh``. languages: MEDLINE's codes, such as ``eng``; unknown languages pass. years: first and
    last. words: fewest and most of a document's text. Retracted publications are never taken.
    """

    mesh: tuple[str, ...] = ()
    without_mesh: bool = True
    languages: tuple[str, ...] = ()
    years: tuple[int | None, int | None] = (None, None)
    words: tuple[int, int | None] = (1, None)

    def turned_away(self, document: Document) -> str:
        """Return why a document is not taken, an empty text where it is."""
        if RETRACTED in document.publication_types or RETRACTION in document.publication_types:
            return "retracted"
        if self.languages and document.language and document.language not in self.languages:
            return "language"
        if not self._of_its_years(document):
            return "year"
        if not self._on_its_subjects(document):
            return "MeSH heading"
        count, (fewest, most) = document.words, self.words
        if count < fewest:
            return "too short"
        return "too long" if most is not None and count > most else ""

    def _of_its_years(self, document: Document) -> bool:
        first, last = self.years
        if document.year is None:
            return True
        return (first is None or document.year >= first) and (last is None or document.year <= last)

    def _on_its_subjects(self, document: Document) -> bool:
        if not self.mesh:
            return True
        if not document.mesh:
            return self.without_mesh
        wanted = tuple(heading.casefold() for heading in self.mesh)
        return any(heading.casefold().startswith(wanted) for heading in document.mesh)


def select(documents: Iterable[Document], selection: Selection, counted: Counter[str]) -> Iterator[Document]:
    """Yield the documents that ``selection`` takes; ``counted`` learns how many were turned away, and why."""
    for document in documents:
        reason = selection.turned_away(document)
        if reason:
            counted[reason] += 1
        else:
            yield document


def without_asides(document: Document) -> Document:
    """Return the document without the sections that speak of the article rather than of its subject."""
    kept = tuple(part for part in document.sections if not part.heading.casefold().startswith(ABOUT_THE_ARTICLE))
    return document if len(kept) == len(document.sections) else replace(document, sections=kept)
