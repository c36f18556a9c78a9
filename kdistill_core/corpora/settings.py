"""What a corpus is made of, and what became of each of its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from kdistill_core.corpora.damage import Damaged
from kdistill_core.corpora.filters import Selection


@dataclass(frozen=True)
class CorpusSettings:
    """What a corpus is made of.

    sources: files of literature or folders of them. evaluations: PubMedQA files; no document that holds what they ask
    is taken. near_duplicates: the likeness (Jaccard index of five-word runs) from which on a document repeats another.
    held_out: the share of documents kept from training, chosen by their ids. damaged: whether a file, an article of an
    archive or a line that cannot be read stops the build or is left out, counted and named.
    """

    name: str
    sources: tuple[Path, ...]
    selection: Selection = field(default_factory=Selection)
    evaluations: tuple[Path, ...] = ()
    near_duplicates: Annotated[float, Meta(gt=0, le=1)] = 0.8
    held_out: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    damaged: Damaged = Damaged.STOP


@dataclass(frozen=True)
class PartCounts:
    """What became of the documents of one file.

    state: of the file when it was read, by :func:`state_of`. sha256: of the file. turned_away: by reason. damaged: how
    much was left out because it could not be read: the file, or articles or lines of it. damages: what was wrong with
    the first of them.
    """

    file: str
    state: str
    sha256: str
    read: int
    taken: int
    words: int
    turned_away: dict[str, int]
    licenses: dict[str, int]
    damaged: int
    damages: tuple[str, ...]


def state_of(file: Path) -> str:
    """Return what changes when a file does: its size and the time of its last change."""
    found = file.stat()
    return f"{found.st_size}:{found.st_mtime_ns}"
