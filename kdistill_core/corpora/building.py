"""A corpus from files: read, chosen, freed of repeats and of what an evaluation asks, one part a file.

Two stages, each resumable. Files are read side by side into candidates: chosen documents with their fingerprints. Then,
in the order of the files, whatever repeats an earlier document is dropped. A part is finished when the index says so,
in the same transaction that holds its fingerprints, so that a run killed at any moment goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from kdistill_core.corpora.contamination import EvaluationTexts, of_pubmedqa
from kdistill_core.corpora.documents import Document
from kdistill_core.corpora.duplicates import DuplicateIndex, Fingerprint, fingerprints
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.filters import Selection, select, without_asides
from kdistill_core.corpora.reading import files_in, opened, read_documents
from kdistill_core.corpora.records import questions_in
from kdistill_core.corpora.shingles import Shingled, shingled
from kdistill_core.serialization import from_json, to_json

TRAINING, HELD_OUT = "training", "held out"
DOCUMENTS, CANDIDATES = "documents", "candidates"
_INDEX, _SETTINGS = "index.sqlite", "settings.json"
_BATCH = 256
_FIELDS = pa.schema(
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
_FINGERPRINTS = pa.schema([("digest", pa.binary()), ("signature", pa.binary())])

# What happens, of which part, and how many parts are done and there are.
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CorpusSettings:
    """What a corpus is made of.

    sources: files of literature or folders of them. evaluations: PubMedQA files; no document that holds what they ask
    is taken. near_duplicates: the likeness (Jaccard index of five-word runs) from which on a document repeats another.
    held_out: the share of documents kept from training, chosen by their ids.
    """

    name: str
    sources: tuple[Path, ...]
    selection: Selection = field(default_factory=Selection)
    evaluations: tuple[Path, ...] = ()
    near_duplicates: float = 0.8
    held_out: float = 0.02


@dataclass(frozen=True)
class PartCounts:
    """What became of the documents of one file. turned_away: by reason. sha256: of the file."""

    file: str
    sha256: str
    read: int
    taken: int
    words: int
    turned_away: dict[str, int]
    licenses: dict[str, int]


def build_documents(
    settings: CorpusSettings, out: Path, workers: int = 1, report: Report | None = None
) -> tuple[PartCounts, ...]:
    """Write ``out/documents/*.parquet``, one a source file, and return what became of the documents of each.

    A run that was killed is taken up again. Raises CorpusError for sources that cannot be read, and for a folder that
    was begun with other settings.
    """
    files = [file for source in settings.sources for file in files_in(source)]
    parts = {f"{number:05d}-{file.name}": file for number, file in enumerate(files)}
    _claim(out, settings, files)
    tell = report or _silent
    with DuplicateIndex(out / _INDEX, settings.near_duplicates) as index:
        todo = {name: file for name, file in parts.items() if name not in index.parts()}
        done = len(parts) - len(todo)
        read = partial(_write_candidates, settings=settings, folder=out / CANDIDATES)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max(1, min(workers, len(todo))), mp_context=context) as pool:
            # In the order of the files, whichever is read first: what counts as the repeat must not depend on luck.
            for (name, file), counts in zip(todo.items(), pool.map(read, todo.items()), strict=True):
                tell(file.name, done, len(parts))
                final = _without_repeats(index, out, name, counts)
                index.commit(name, to_json(final))
                (out / CANDIDATES / name).with_suffix(".parquet").unlink()
                done += 1
        tell("", done, len(parts))
        return tuple(from_json(counts, PartCounts) for _, counts in sorted(index.parts().items()))


def documents_of(out: Path, split: str, columns: Sequence[str] = ("id", "text")) -> Iterator[dict[str, object]]:
    """Yield the documents of a split of a built corpus, in the order of its files, with these columns."""
    for part in sorted((out / DOCUMENTS).glob("*.parquet")):
        for batch in pq.ParquetFile(part).iter_batches(_BATCH, columns=[*columns, "split"]):
            yield from (row for row in batch.to_pylist() if row.pop("split") == split)


def _claim(out: Path, settings: CorpusSettings, files: Sequence[Path]) -> None:
    """Mark ``out`` as the folder of these settings and files; refuse one of others."""
    states = [f"{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files]
    wanted = msgspec.json.encode({"settings": settings, "files": states}, enc_hook=str)
    for folder in (out, out / DOCUMENTS, out / CANDIDATES):
        folder.mkdir(parents=True, exist_ok=True)
    marker = out / _SETTINGS
    if not marker.exists():
        _write(marker, wanted)
    elif marker.read_bytes() != wanted:
        raise CorpusError(
            f"{out} holds a corpus that was begun with other settings or files.", "Give another folder, or delete it."
        )


def _write_candidates(part: tuple[str, Path], settings: CorpusSettings, folder: Path) -> PartCounts:
    """Write the chosen documents of a file with their fingerprints, unless an earlier run has."""
    name, file = part
    path, account = (folder / name).with_suffix(".parquet"), (folder / name).with_suffix(".json")
    if path.exists() and account.exists():
        return from_json(account.read_bytes(), PartCounts)
    evaluation = _evaluation(settings.evaluations)
    turned_away: Counter[str] = Counter()
    read = 0
    partial_path = path.with_suffix(".partial")
    with pq.ParquetWriter(partial_path, pa.unify_schemas([_FIELDS, _FINGERPRINTS]), compression="zstd") as writer:
        for documents in _batches(read_documents(file)):
            read += len(documents)
            chosen = list(_chosen(documents, settings.selection, evaluation, turned_away))
            marks = fingerprints([text for _, text in chosen])
            rows = [_row(document, settings.held_out) for document, _ in chosen]
            writer.write_table(_table(rows, marks))
    counts = PartCounts(file.name, _sha256(file), read, 0, 0, dict(turned_away), {})
    partial_path.replace(path)
    _write(account, to_json(counts))
    return counts


def _without_repeats(index: DuplicateIndex, out: Path, name: str, counts: PartCounts) -> PartCounts:
    """Write the documents of a part that repeat none before them."""
    turned_away, licenses = Counter(counts.turned_away), Counter[str]()
    taken = words = 0
    path = (out / DOCUMENTS / name).with_suffix(".parquet")
    partial_path = path.with_suffix(".partial")
    candidates = pq.ParquetFile((out / CANDIDATES / name).with_suffix(".parquet"))
    with pq.ParquetWriter(partial_path, _FIELDS, compression="zstd") as writer:
        for batch in candidates.iter_batches(_BATCH):
            marks = zip(*(batch[column].to_pylist() for column in ("id", *_FINGERPRINTS.names)), strict=True)
            repeats = [index.add(name_, Fingerprint(digest, signature)) for name_, digest, signature in marks]
            turned_away.update(
                "equal to an earlier one" if repeat.likeness == 1 else "like an earlier one"
                for repeat in repeats
                if repeat is not None
            )
            kept = batch.filter(pa.array([repeat is None for repeat in repeats])).select(_FIELDS.names)
            writer.write_batch(kept)
            taken += kept.num_rows
            words += sum(len(text.split()) for text in kept["text"].to_pylist())
            licenses.update(kept["license"].to_pylist())
    partial_path.replace(path)
    return replace(
        counts, taken=taken, words=words, turned_away=dict(turned_away), licenses=dict(licenses.most_common(20))
    )


def _chosen(
    documents: Iterable[Document], selection: Selection, evaluation: EvaluationTexts, turned_away: Counter[str]
) -> Iterator[tuple[Document, Shingled]]:
    for document in select(map(without_asides, documents), selection, turned_away):
        text = shingled(document.text)
        reason = evaluation.overlap(document.id, text)
        if reason:
            turned_away[reason] += 1
        else:
            yield document, text


def _evaluation(files: Sequence[Path]) -> EvaluationTexts:
    questions = {}
    for file in files:
        with opened(file) as stream:
            questions.update(questions_in(stream.read(), str(file)))
    return of_pubmedqa(questions)


def _row(document: Document, held_out: float) -> dict[str, object]:
    place = int.from_bytes(hashlib.sha256(document.id.encode()).digest()[:8], "big") / 2**64
    return {
        "id": document.id,
        "split": HELD_OUT if place < held_out else TRAINING,
        "title": document.title,
        "text": document.text,
        "headings": [section.heading for section in document.sections],
        "year": document.year,
        "language": document.language,
        "mesh": list(document.mesh),
        "license": document.license,
    }


def _table(rows: Sequence[dict[str, object]], marks: Sequence[Fingerprint]) -> pa.Table:
    both = [{**row, "digest": mark.digest, "signature": mark.signature} for row, mark in zip(rows, marks, strict=True)]
    return pa.Table.from_pylist(both, schema=pa.unify_schemas([_FIELDS, _FINGERPRINTS]))


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    while batch := list(itertools.islice(documents, _BATCH)):
        yield batch


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    partial_path = path.with_suffix(".partial")
    partial_path.write_bytes(content)
    partial_path.replace(path)


def _silent(file: str, done: int, total: int) -> None:
    del file, done, total
