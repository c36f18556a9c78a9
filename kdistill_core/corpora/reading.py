"""Any file of the literature to documents: what it is, is read off its name and its first bytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from kdistill_core.corpora import archive, jats, pubmed, records
from kdistill_core.corpora.damage import OnDamage, stop
from kdistill_core.corpora.documents import Document
from kdistill_core.corpora.errors import CorpusError

# A document type declaration may stand before the root element.
_LOOKED_AT = 4096


class Kind(StrEnum):
    """What a file of literature is."""

    PUBMED = "pubmed"
    JATS = "jats"
    JATS_ARCHIVE = "jats-archive"
    PUBMEDQA = "pubmedqa"
    JSON_LINES = "jsonl"
    TEXT = "text"


# Files that are read as a whole or not at all, and those that may be damaged in parts.
_WHOLE: dict[Kind, Callable[[IO[bytes], str], Iterator[Document]]] = {
    Kind.PUBMED: pubmed.read_pubmed,
    Kind.JATS: jats.read_jats,
    Kind.PUBMEDQA: records.read_pubmedqa,
    Kind.TEXT: records.read_plain_text,
}
_IN_PARTS: dict[Kind, Callable[[IO[bytes], str, OnDamage], Iterator[Document]]] = {
    Kind.JATS_ARCHIVE: archive.read_jats_archive,
    Kind.JSON_LINES: records.read_json_lines,
}


def kind_of(path: Path) -> Kind:
    """Return what ``path`` is. Raises CorpusError for a file that is none of the kinds, or cannot be read."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".tar", ".tgz")):
        return Kind.JATS_ARCHIVE
    if name.endswith((".jsonl", ".ndjson")):
        return Kind.JSON_LINES
    if name.endswith(".txt"):
        return Kind.TEXT
    if name.endswith(".json"):
        return Kind.PUBMEDQA
    with opened(path) as stream:
        beginning = stream.read(_LOOKED_AT)
    for kind, root in ((Kind.PUBMED, pubmed.ROOT), (Kind.JATS, jats.ROOT)):
        if f"<{root}".encode() in beginning:
            return kind
    raise CorpusError(
        f"{path} is no literature that is known here.",
        "Known are PubMed XML, JATS XML and its tar.gz, PubMedQA's JSON, JSON Lines with a 'text', and .txt files.",
    )


def read_documents(path: Path, on_damage: OnDamage = stop) -> Iterator[Document]:
    """Yield the documents of a file, gzipped or not, one at a time.

    on_damage: is told of each article of an archive, and each line of JSON Lines, that cannot be read. Raises
    CorpusError where the file itself is damaged or cut off: then what was yielded before may not be all of it.
    """
    kind = kind_of(path)
    with opened(path) as stream:
        if kind in _WHOLE:
            yield from _WHOLE[kind](stream, path.name)
        else:
            yield from _IN_PARTS[kind](stream, path.name, on_damage)


def files_in(path: Path) -> tuple[Path, ...]:
    """Return ``path`` itself, or the files within a folder, in the order of their names. Raises CorpusError."""
    if path.is_file():
        return (path,)
    found = tuple(sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")))
    if not found:
        raise CorpusError(f"There is no file at {path}.", "Give a file of literature or a folder of them.")
    return found


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, unpacked where it is gzipped. Raises CorpusError."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error
    with raw:
        try:
            if path.suffix.lower() in {".gz", ".tgz"}:
                with gzip.open(raw) as unpacked:
                    yield cast("IO[bytes]", unpacked)
            else:
                yield raw
        except (OSError, EOFError, zlib.error) as error:
            raise CorpusError(
                f"{path} cannot be unpacked: {error}.", "Fetch the file again; it is damaged or cut off."
            ) from error
