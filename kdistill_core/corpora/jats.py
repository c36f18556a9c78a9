"""Open-access articles of PubMed Central (JATS, NISO Z39.96): abstract, body sections and figure captions.

What is no running text is left out: tables, formulas, reference lists, and the marks that point to references.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from lxml import etree

from kdistill_core.corpora.documents import Document, Section, one_line, year_in
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import RETRACTED, RETRACTION
from kdistill_core.corpora.languages import medline_code
from kdistill_core.corpora.xml import elements, text_of

ROOT = "article"
_LEFT_OUT = frozenset(
    {"table-wrap", "table", "disp-formula", "inline-formula", "tex-math", "ref-list", "fn", "fn-group", "fig"}
    | {"fig-group", "graphic", "media", "supplementary-material", "object-id", "label", "title", "sec"}
)
# A reference's mark, such as [12] or [3-5], says nothing without its list.
_MARK = "\0"
_SEVERAL_MARKS = rf"{_MARK}(?:\s*[-–,;]?\s*{_MARK})*"
_MARKS = re.compile(rf"\s*(?:\[\s*{_SEVERAL_MARKS}\s*\]|\(\s*{_SEVERAL_MARKS}\s*\)|{_SEVERAL_MARKS})")
_PARAGRAPHS = ("p", "list", "disp-quote", "boxed-text", "def-list")
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def read_jats(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the articles of an XML stream. Raises CorpusError; ``name`` stands in its message."""
    found = False
    for article in elements(stream, ("article",), name):
        found = True
        yield _document(article, name)
    if not found:
        raise CorpusError(f"{name} holds no article of JATS.", "Give articles as PubMed Central publishes them.")


def _document(article: etree._Element, name: str) -> Document:
    meta = article.find("front/article-meta")
    meta = etree.Element("article-meta") if meta is None else meta
    return Document(
        id=_id(meta, name),
        title=text_of(meta.find("title-group/article-title")),
        sections=tuple(_sections(article, meta)),
        year=_year(meta),
        language=medline_code(str(article.get(_XML_LANG) or "")),
        publication_types=_publication_types(article, meta),
        license=_license(meta),
    )


def _publication_types(article: etree._Element, meta: etree._Element) -> tuple[str, ...]:
    """Return the article's own type and, where a retraction is stated, MEDLINE's words for it."""
    own = str(article.get("article-type") or "")
    links = {str(each.get("related-article-type")) for each in meta.iterfind("related-article")}
    of_retraction = (RETRACTION,) if own == "retraction" or "retracted-article" in links else ()
    return (own, *of_retraction, *((RETRACTED,) if "retraction-forward" in links else ()))


def _id(meta: etree._Element, name: str) -> str:
    """Return the article's number in PubMed Central, or another of its ids, or the file's name."""
    ids = {str(each.get("pub-id-type")): text_of(each) for each in meta.iterfind("article-id")}
    for kind, prefix in (("pmc", "pmc:"), ("pmcid", "pmc:"), ("pmid", "pubmed:"), ("doi", "doi:")):
        if ids.get(kind):
            return prefix + ids[kind].removeprefix("PMC")
    return f"file:{name}"


def _year(meta: etree._Element) -> int | None:
    years = [year_in(text_of(date.find("year"))) for date in meta.iterfind("pub-date")]
    return min((year for year in years if year is not None), default=None)


def _license(meta: etree._Element) -> str:
    license_ = meta.find("permissions/license")
    if license_ is None:
        return text_of(meta.find("permissions/copyright-statement"))
    link = license_.get(_XLINK_HREF) or next((e.get(_XLINK_HREF) for e in license_.iter("ext-link")), None)
    return str(link) if link else text_of(license_)


def _sections(article: etree._Element, meta: etree._Element) -> Iterator[Section]:
    for abstract in meta.iterfind("abstract"):
        # Graphical and lay abstracts repeat the first one.
        if abstract.get("abstract-type") is None:
            yield from _parts(abstract, ("Abstract",))
    body = article.find("body")
    if body is not None:
        yield from _parts(body, ())
        for figure in body.iter("fig"):
            caption = " ".join(_paragraph(part) for part in figure.iterfind("caption/*"))
            if caption.strip():
                yield Section(text_of(figure.find("label")) or "Figure", one_line(caption))


def _parts(parent: etree._Element, path: tuple[str, ...]) -> Iterator[Section]:
    """Yield the running text of ``parent`` and then of each section within it, headings joined along the way."""
    paragraphs = [_paragraph(child) for child in parent if child.tag in _PARAGRAPHS]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    if text:
        yield Section(" / ".join(path), text)
    for section in parent.iterfind("sec"):
        title = text_of(section.find("title"))
        yield from _parts(section, (*path, title) if title else path)


def _paragraph(element: etree._Element) -> str:
    return one_line(_MARKS.sub("", "".join(_words(element))))


def _words(element: etree._Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        tag = child.tag if isinstance(child.tag, str) else ""
        if tag == "xref" and child.get("ref-type") == "bibr":
            yield _MARK
        elif tag and tag.rpartition("}")[2] not in _LEFT_OUT and not tag.endswith("}math"):
            yield from _words(child)
            # Items of a list are words of their own.
            yield " " if tag in {"p", "list-item", "def-item"} else ""
        yield child.tail or ""
