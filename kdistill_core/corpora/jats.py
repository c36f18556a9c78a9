"""Open-access articles of PubMed Central (JATS, NISO Z39.96): abstract, body sections and figure captions.

What is no running text is left out: tables, formulas, reference lists, and the marks that point to references.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import IO

from lxml import etree

from kdistill_core.corpora.documents import Document, Section, one_line
from kdistill_core.corpora.errors import CorpusError
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
# MEDLINE writes ISO 639-2, JATS ISO 639-1: the languages of PubMed Central that are not rare.
_LANGUAGES = {
    "en": "eng", "de": "ger", "fr": "fre", "es": "spa", "pt": "por", "it": "ita", "ru": "rus", "zh": "chi", "ja": "jpn",
    "ko": "kor", "pl": "pol", "nl": "dut", "tr": "tur", "cs": "cze", "hu": "hun", "uk": "ukr", "fa": "per", "ar": "ara",
}  # fmt: skip


def read_jats(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the articles of an XML stream. Raises CorpusError; ``name`` stands in its message."""
    for article in elements(stream, ("article",), name):
        yield _document(article, name)


def read_jats_archive(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the articles of a bulk ``tar.gz``, in its order, one file in memory at a time. Raises CorpusError."""
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                if member.isfile() and member.name.endswith((".nxml", ".xml")):
                    content = archive.extractfile(member)
                    if content is not None:
                        yield from read_jats(content, f"{name}:{member.name}")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CorpusError(
            f"{name} cannot be unpacked: {error}.", "Fetch the archive again; it may be cut off."
        ) from error


def _document(article: etree._Element, name: str) -> Document:
    meta = article.find("front/article-meta")
    meta = etree.Element("article-meta") if meta is None else meta
    language = str(article.get(_XML_LANG) or "").strip().lower()
    return Document(
        id=_id(meta, name),
        title=text_of(meta.find("title-group/article-title")),
        sections=tuple(_sections(article, meta)),
        year=_year(meta),
        language=_LANGUAGES.get(language, language),
        publication_types=(str(article.get("article-type") or ""),),
        license=_license(meta),
    )


def _id(meta: etree._Element, name: str) -> str:
    """Return the article's number in PubMed Central, or another of its ids, or the file's name."""
    ids = {str(each.get("pub-id-type")): text_of(each) for each in meta.iterfind("article-id")}
    for kind, prefix in (("pmc", "pmc:"), ("pmcid", "pmc:"), ("pmid", "pubmed:"), ("doi", "doi:")):
        if ids.get(kind):
            return prefix + ids[kind].removeprefix("PMC")
    return f"file:{name}"


def _year(meta: etree._Element) -> int | None:
    years = [text_of(date.find("year")) for date in meta.iterfind("pub-date")]
    known = [int(year) for year in years if year.isdigit()]
    return min(known) if known else None


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
