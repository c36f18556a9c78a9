"""Texts that come as JSON or as plain files: PubMedQA, JSON Lines with a ``text`` field, folders of text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from kdistill_core.corpora.documents import Document, Section
from kdistill_core.corpora.errors import CorpusError


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
    except msgspec.DecodeError as error:
        raise CorpusError(f"{name} is not PubMedQA's JSON: {error}.", "Give ori_pqal.json as published.") from error


def read_pubmedqa(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield each question's abstract with its conclusion, without the question. Raises CorpusError."""
    for pmid, entry in questions_in(stream.read(), name).items():
        labels = entry.labels if len(entry.labels) == len(entry.contexts) else [""] * len(entry.contexts)
        sections = [Section(label, text) for label, text in zip(labels, entry.contexts, strict=True)]
        if entry.long_answer:
            sections.append(Section("CONCLUSIONS", entry.long_answer))
        year = int(entry.year) if entry.year and entry.year.isdigit() else None
        yield Document(f"pubmed:{pmid}", "", tuple(sections), year, "eng", tuple(entry.meshes))


def read_json_lines(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield a document a line from objects with a ``text``; id, title, year, language, license where given.

    Raises CorpusError naming the line.
    """
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield _of_object(_object(line, name, number), name, number)


def read_plain_text(stream: IO[bytes], name: str) -> Iterator[Document]:
    """Yield the one document of a UTF-8 text file. Raises CorpusError."""
    try:
        text = stream.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name}: the text is not UTF-8 ({error.reason}).", "Save it as UTF-8.") from error
    if text.strip():
        yield Document(f"file:{name}", "", (Section("", text.strip()),))


def _object(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{name}, line {number}: this is not JSON ({error}).", "Write one object a line.") from error
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise CorpusError(f"{name}, line {number}: there is no 'text'.", "Give every line an object with a 'text'.")
    return found


def _of_object(found: dict[str, Any], name: str, number: int) -> Document:
    year = found.get("year")
    return Document(
        id=str(found.get("id") or f"file:{name}:{number}"),
        title=str(found.get("title") or ""),
        sections=(Section("", found["text"].strip()),),
        year=year if isinstance(year, int) else None,
        language=str(found.get("language") or ""),
        license=str(found.get("license") or ""),
    )
