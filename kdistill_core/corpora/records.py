"""Texts that come as JSON or as plain files: PubMedQA, JSON Lines with a ``text`` field, folders of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import msgspec

from kdistill_core.corpora.damage import OnDamage, stop
from kdistill_core.corpora.documents import Document, Section, year_in
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.languages import medline_code

# A text or a line is in memory as a whole.
LONGEST_TEXT = 64 * 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOO_LONG = f"{LONGEST_TEXT // 2**20} MiB"


class PubMedQuestion(msgspec.Struct, rename="upper", frozen=True):
    """An entry of ``ori_pqal.json`` (Jin et al., EMNLP 2019): a question on an abstract, its contexts and answers."""

    question: str
    contexts: list[str]
    labels: list[str] = []
    meshes: list[str] = []
    year: str | None = None
    long_answer: str = ""
    final_decision: str = msgspec.field(name="final_decision", default="")


def questions_in(content: bytes, name: str) -> dict[str, PubMedQuestion]:
    """Return PubMedQA's questions by PMID. Raises CorpusError."""
    try:
        return msgspec.json.decode(content, type=dict[str, PubMedQuestion])
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorpusError(f"{name} is not PubMedQA's JSON: {error}.", "Give ori_pqal.json as published.") from error


def read_pubmedqa(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield each question's abstract with its conclusion, without the question. Raises CorpusError."""
    for pmid, entry in questions_in(stream.read(), name).items():
        labels = entry.labels if len(entry.labels) == len(entry.contexts) else [""] * len(entry.contexts)
        sections = [Section(label, text) for label, text in zip(labels, entry.contexts, strict=True)]
        if entry.long_answer:
            sections.append(Section("CONCLUSIONS", entry.long_answer))
        yield Document(f"pubmed:{pmid}", "", tuple(sections), year_in(entry.year or ""), "eng", tuple(entry.meshes))


def read_json_lines(stream: IO[bytes], name: str, on_damage: OnDamage = stop) -> Iterator[Document]:
    """Yield a document a line from objects with a ``text``; id, title, year, language, mesh, license where given.

    on_damage: is told of each line that is no such object, by its number. Raises CorpusError for a line without end.
    """
    number = 0
    while line := stream.readline(LONGEST_TEXT):
        number += 1
        if len(line) == LONGEST_TEXT:
            raise CorpusError(f"{name}, line {number}: it is longer than {_TOO_LONG}.", "Write one document a line.")
        try:
            # Some editors write a mark before the first line.
            document = _of_line(line.removeprefix(_BYTE_ORDER_MARK), name, number) if line.strip() else None
        except CorpusError as error:
            on_damage(error)
        else:
            if document is not None:
                yield document


def read_plain_text(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the one document of a UTF-8 text file. Raises CorpusError."""
    content = stream.read(LONGEST_TEXT)
    if len(content) == LONGEST_TEXT:
        raise CorpusError(f"{name} is longer than {_TOO_LONG}.", "Split it, or write it as JSON Lines.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name}: the text is not UTF-8 ({error.reason}).", "Save it as UTF-8.") from error
    if text.strip():
        yield Document(f"file:{name}", "", (Section("", text.strip()),))


def _of_line(line: bytes, name: str, number: int) -> Document:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorpusError(f"{name}, line {number}: this is not JSON ({error}).", "Write one object a line.") from error
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise CorpusError(f"{name}, line {number}: there is no 'text'.", "Give every line an object with a 'text'.")
    mesh = found.get("mesh")
    return Document(
        id=str(found.get("id") or f"file:{name}:{number}"),
        title=_text(found, "title"),
        sections=(Section("", found["text"].strip()),),
        year=year_in(_text(found, "year")),
        language=medline_code(_text(found, "language")),
        mesh=tuple(map(str, mesh)) if isinstance(mesh, list) else (),
        license=_text(found, "license"),
    )


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    return "" if value is None else str(value)
