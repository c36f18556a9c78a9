"""One file to candidates: its chosen documents with their fingerprints. This is what runs side by side."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kdistill_core.corpora.contamination import EvaluationTexts, of_pubmedqa
from kdistill_core.corpora.damage import Damaged, LeftOut, OnDamage, stop
from kdistill_core.corpora.documents import Document
from kdistill_core.corpora.duplicates import fingerprints
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import select, without_asides
from kdistill_core.corpora.reading import opened, read_documents
from kdistill_core.corpora.records import questions_in
from kdistill_core.corpora.settings import CorpusSettings, PartCounts, state_of
from kdistill_core.corpora.shingles import shingled
from kdistill_core.serialization import from_json, to_json

TRAINING, HELD_OUT = "training", "held out"
BATCH = 256
FIELDS = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("headings", pa.list_(pa.string())),
        ("year", pa.int16()),
        ("language", pa.string()),
        ("mesh", pa.list_(pa.string())),
        ("license", pa.string()),
    ]
)
# What the removal of repeats needs besides.
MARKS = pa.schema([("words", pa.int64()), ("digest", pa.binary()), ("signature", pa.binary()), ("bands", pa.binary())])
_CANDIDATE = pa.unify_schemas([FIELDS, MARKS])


def write_candidates(part: tuple[str, Path], settings: CorpusSettings, folder: Path) -> PartCounts:
    """Write the candidates of a part (its name, its file) into ``folder``, unless an earlier run has.

    How many documents were read stands in ``progress_of`` meanwhile. Raises CorpusError for a damaged file where
    damage stops the build; otherwise the part is empty and says why.
    """
    name, file = part
    account, state = folder / f"{name}.json", state_of(file)
    if account.exists():
        counts = from_json(account.read_bytes(), PartCounts)
        if counts.state == state:
            return counts
    path, damage = candidates_of(folder, name), LeftOut()
    unfinished = path.with_suffix(".partial")
    read, turned_away = 0, Counter[str]()
    try:
        on_damage = stop if settings.damaged is Damaged.STOP else damage
        read, turned_away = _write_chosen(file, unfinished, settings, on_damage, progress_of(folder, name))
    except CorpusError as error:
        if settings.damaged is Damaged.STOP:
            raise
        damage(error)
        pq.write_table(_CANDIDATE.empty_table(), unfinished)
    account.unlink(missing_ok=True)
    unfinished.replace(path)
    counts = PartCounts(
        file.name, state, _sha256(file), read, 0, 0, dict(turned_away), {}, damage.count, tuple(damage.problems)
    )
    write_whole(account, to_json(counts))
    progress_of(folder, name).unlink(missing_ok=True)
    return counts


def candidates_of(folder: Path, name: str) -> Path:
    """Return the file of a part's candidates."""
    return folder / f"{name}.parquet"


def progress_of(folder: Path, name: str) -> Path:
    """Return the file that says how many documents of a part were read, while it is read."""
    return folder / f"{name}.read"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    unfinished = path.with_suffix(".partial")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _write_chosen(
    file: Path, path: Path, settings: CorpusSettings, on_damage: OnDamage, progress: Path
) -> tuple[int, Counter[str]]:
    """Write the chosen documents of a file; return how many were read, and turned away by reason."""
    evaluation = _evaluation(settings.evaluations)
    turned_away = Counter[str]()
    read = 0
    # Signatures are as good as random, and the file lives for minutes: more compression would only cost time.
    with pq.ParquetWriter(path, _CANDIDATE, compression="lz4") as writer:
        for documents in _batches(read_documents(file, on_damage)):
            read += len(documents)
            writer.write_table(_chosen(documents, settings, evaluation, turned_away))
            progress.write_text(str(read))
    return read, turned_away


def _chosen(
    documents: Sequence[Document], settings: CorpusSettings, evaluation: EvaluationTexts, turned_away: Counter[str]
) -> pa.Table:
    chosen, texts = [], []
    for document in select(map(without_asides, documents), settings.selection, turned_away):
        text = shingled(document.text)
        reason = evaluation.overlap(document.id, text)
        if reason:
            turned_away[reason] += 1
        else:
            chosen.append(document)
            texts.append(text)
    marks = fingerprints(texts)
    columns = {
        "id": [each.id for each in chosen],
        "split": [_split(each.id, settings.held_out) for each in chosen],
        "title": [each.title for each in chosen],
        "text": [each.text for each in chosen],
        "headings": [[section.heading for section in each.sections] for each in chosen],
        "year": [each.year for each in chosen],
        "language": [each.language for each in chosen],
        "mesh": [each.mesh for each in chosen],
        "license": [each.license for each in chosen],
        "words": [each.words for each in chosen],
        "digest": [mark.digest for mark in marks],
        "signature": [mark.signature for mark in marks],
        "bands": [mark.bands for mark in marks],
    }
    return pa.table(columns, schema=_CANDIDATE)


def _split(name: str, held_out: float) -> str:
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return HELD_OUT if place < held_out else TRAINING


# A process reads one file after the other against the same evaluations.
@lru_cache(maxsize=1)
def _evaluation(files: tuple[Path, ...]) -> EvaluationTexts:
    questions = {}
    for file in files:
        with opened(file) as stream:
            questions.update(questions_in(stream.read(), str(file)))
    return of_pubmedqa(questions)


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    while batch := list(itertools.islice(documents, BATCH)):
        yield batch


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
