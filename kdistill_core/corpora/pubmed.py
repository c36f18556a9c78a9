"""PubMed baseline and update files (``PubmedArticleSet``): one document a record that has an abstract.

Elements are those of NLM's PubMed DTD. Books, deletions and abstracts in further languages are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from lxml import etree

from kdistill_core.corpora.documents import Document, Section, year_in
from kdistill_core.corpora.xml import elements, text_of

ROOT = "PubmedArticleSet"


def read_pubmed(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the records of an XML stream that have an abstract. Raises CorpusError; ``name`` stands in its message."""
    for article in elements(stream, ("PubmedArticle",), name):
        document = _document(article)
        if document is not None:
            yield document


def _document(article: etree._Element) -> Document | None:
    citation = article.find("MedlineCitation")
    body = None if citation is None else citation.find("Article")
    if citation is None or body is None:
        return None
    sections = tuple(_sections(body))
    if not sections:
        return None
    return Document(
        id=f"pubmed:{text_of(citation.find('PMID'))}",
        title=text_of(body.find("ArticleTitle")),
        sections=sections,
        year=_year(body),
        language=text_of(body.find("Language")),
        mesh=tuple(text_of(heading) for heading in citation.iterfind("MeshHeadingList/MeshHeading/DescriptorName")),
        publication_types=tuple(text_of(kind) for kind in body.iterfind("PublicationTypeList/PublicationType")),
        license=text_of(body.find("Abstract/CopyrightInformation")),
    )


def _sections(body: etree._Element) -> Iterator[Section]:
    for part in body.iterfind("Abstract/AbstractText"):
        text = text_of(part)
        if text:
            yield Section(str(part.get("Label") or "").strip(), text)


def _year(body: etree._Element) -> int | None:
    """Return the journal issue's year, taken from MEDLINE's free date where there is no other."""
    date = body.find("Journal/JournalIssue/PubDate")
    return None if date is None else year_in(text_of(date.find("Year")) or text_of(date.find("MedlineDate")))
