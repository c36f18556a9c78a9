"""Texts to measure perplexity on: the held-out documents of a built corpus, or any literature or plain texts."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdistill_core.corpora.building import DOCUMENTS, documents_of
from kdistill_core.corpora.candidates import HELD_OUT
from kdistill_core.corpora.reading import files_in, read_documents
from kdistill_core.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class Text:
    """A document by its id."""

    id: str
    text: str


@dataclass(frozen=True)
class SampledTexts:
    """Documents drawn for measuring. origin: in words; available: how many there were to draw from."""

    origin: str
    texts: tuple[Text, ...]
    available: int

    @property
    def sha256(self) -> str:
        """Hash of what was drawn."""
        said = hashlib.sha256()
        for text in self.texts:
            said.update(f"{text.id}\n{len(text.text)}\n{text.text}\n".encode())
        return said.hexdigest()


def sample_texts(path: Path, count: int, seed: int) -> SampledTexts:
    """Return at most ``count`` documents of ``path``, drawn by ``seed``, in memory that does not grow with the corpus.

    path: a folder that ``kdistill corpus build`` made, of which the held-out documents are taken, or a file or folder
    of literature or texts. A document is drawn by the hash of its id, so that the order of files does not matter.
    Raises EvaluationError where there is none; CorpusError for a file that cannot be read.
    """
    available = 0

    def counted() -> Iterator[Text]:
        nonlocal available
        for text in _documents(path):
            if text.text.strip():
                available += 1
                yield text

    drawn = heapq.nsmallest(count, counted(), key=lambda text: (_draw(text.id, seed), text.text))
    if not drawn:
        raise EvaluationError(
            f"{path} has no {f'{HELD_OUT} document' if _is_corpus(path) else 'text'}.",
            "Give a corpus that keeps documents from training, or a file or folder of texts.",
        )
    origin = f"{HELD_OUT} documents of the corpus {path.resolve().name}" if _is_corpus(path) else path.resolve().name
    return SampledTexts(origin, tuple(drawn), available)


def _is_corpus(path: Path) -> bool:
    return (path / DOCUMENTS).is_dir() and any((path / DOCUMENTS).glob("*.parquet"))


def _documents(path: Path) -> Iterator[Text]:
    if _is_corpus(path):
        for row in documents_of(path, HELD_OUT):
            yield Text(str(row["id"]), str(row["text"]))
        return
    for file in files_in(path):
        for document in read_documents(file):
            yield Text(document.id, document.text)


def _draw(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()
