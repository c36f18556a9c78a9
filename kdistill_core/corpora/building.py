"""A corpus from files: read, chosen, freed of repeats and of what an evaluation asks, one part a file.

Two stages, each resumable. Files are read side by side into candidates: chosen documents with their fingerprints. Then,
in the order of the files, whatever repeats an earlier document is dropped. A part is finished when the index says so,
in the same transaction that holds its fingerprints, so that a run killed at any moment goes on where it was.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from kdistill_core.corpora.candidates import (
    BATCH,
    FIELDS,
    MARKS,
    candidates_of,
    progress_of,
    write_candidates,
    write_whole,
)
from kdistill_core.corpora.damage import Damaged
from kdistill_core.corpora.duplicates import DuplicateIndex, Fingerprint
from kdistill_core.corpora.errors import CorpusError
from kdistill_core.corpora.reading import files_in, kind_of
from kdistill_core.corpora.settings import CorpusSettings, PartCounts, state_of
from kdistill_core.corpora.workers import in_turn
from kdistill_core.serialization import from_json, to_json

DOCUMENTS, CANDIDATES = "documents", "candidates"
_INDEX, _SETTINGS = "index.sqlite", "settings.json"

# What happens, how many of it are done and how many there are.
Report = Callable[[str, int, int], None]


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
        finished = {name: from_json(counts, PartCounts) for name, counts in index.parts().items()}
        _refuse_changed(finished, parts)
        todo = {name: file for name, file in parts.items() if name not in finished}
        if settings.damaged is Damaged.STOP:
            # What is no literature at all is said now rather than after hours.
            for file in todo.values():
                kind_of(file)
        with closing(_read(todo, settings, out, workers, _Progress(tell, finished, parts, out))) as candidates:
            for name, counts in candidates:
                finished[name] = _without_repeats(index, out, name, counts)
                index.commit(name, to_json(finished[name]))
        shutil.rmtree(out / CANDIDATES)
    return tuple(finished[name] for name in parts)


def documents_of(out: Path, split: str, columns: Sequence[str] = ("id", "text")) -> Iterator[dict[str, object]]:
    """Yield the documents of a split of a built corpus, in the order of its files, with these columns."""
    for part in sorted((out / DOCUMENTS).glob("*.parquet")):
        for batch in pq.ParquetFile(part).iter_batches(BATCH, columns=[*columns, "split"]):
            yield from (row for row in batch.to_pylist() if row.pop("split") == split)


def _claim(out: Path, settings: CorpusSettings, files: Sequence[Path]) -> None:
    """Mark ``out`` as the folder of these settings and files; refuse one of others."""
    # Whoever was stopped by a damaged file may fetch it again or leave it out, and keep what is done.
    kept = replace(settings, damaged=Damaged.STOP)
    evaluations = [_state(file) for file in settings.evaluations]
    wanted = msgspec.json.encode({"settings": kept, "files": files, "evaluations": evaluations}, enc_hook=str)
    for folder in (out, out / DOCUMENTS, out / CANDIDATES):
        folder.mkdir(parents=True, exist_ok=True)
    marker = out / _SETTINGS
    if not marker.exists():
        write_whole(marker, wanted)
    elif marker.read_bytes() != wanted:
        raise CorpusError(
            f"{out} holds a corpus that was begun with other settings or files.", "Give another folder, or delete it."
        )


def _state(file: Path) -> str:
    try:
        return state_of(file)
    except OSError as error:
        raise CorpusError(f"{file} cannot be read: {error.strerror}.", "Check the path of the evaluation.") from error


def _refuse_changed(finished: Mapping[str, PartCounts], parts: Mapping[str, Path]) -> None:
    for name, counts in finished.items():
        if counts.state != state_of(parts[name]):
            raise CorpusError(
                f"{parts[name]} was changed after its documents were taken.", "Give another folder, or delete this one."
            )


class _Progress:
    """Tells how many files are done, and how many documents were read, those of unfinished files included."""

    def __init__(self, tell: Report, finished: Mapping[str, PartCounts], parts: Mapping[str, Path], out: Path) -> None:
        self._tell, self._finished, self._parts = tell, finished, parts
        self._folder = out / CANDIDATES

    def __call__(self) -> None:
        documents = sum(counts.read for counts in self._finished.values())
        for name in self._parts:
            if name not in self._finished:
                # Not yet begun, or finished just now.
                with suppress(OSError, ValueError):
                    documents += int(progress_of(self._folder, name).read_text())
        self._tell(f"Reading ({documents:,} documents so far)", len(self._finished), len(self._parts))


def _read(
    todo: Mapping[str, Path], settings: CorpusSettings, out: Path, workers: int, progress: _Progress
) -> Generator[tuple[str, PartCounts]]:
    """Yield each part that has its candidates, in the order of the files: which document is the repeat is no luck."""
    progress()
    if not todo:
        return
    read = partial(write_candidates, settings=settings, folder=out / CANDIDATES)
    with closing(in_turn(read, todo.items(), min(workers, len(todo)), progress)) as done:
        for name, counts in zip(todo, done, strict=True):
            yield name, counts
            candidates_of(out / CANDIDATES, name).unlink()
            progress()


def _without_repeats(index: DuplicateIndex, out: Path, name: str, counts: PartCounts) -> PartCounts:
    """Write the documents of a part that repeat none before them."""
    turned_away, licenses = Counter(counts.turned_away), Counter[str]()
    taken = words = 0
    path = out / DOCUMENTS / f"{name}.parquet"
    unfinished = path.with_suffix(".partial")
    candidates = pq.ParquetFile(candidates_of(out / CANDIDATES, name))
    with pq.ParquetWriter(unfinished, FIELDS, compression="zstd") as writer:
        for batch in candidates.iter_batches(BATCH):
            kept, repeats = _firsts(index, batch)
            turned_away.update(repeats)
            writer.write_batch(kept.select(FIELDS.names))
            taken += kept.num_rows
            words += sum(kept["words"].to_pylist())
            licenses.update(kept["license"].to_pylist())
    unfinished.replace(path)
    return replace(
        counts, taken=taken, words=words, turned_away=dict(turned_away), licenses=dict(licenses.most_common(20))
    )


def _firsts(index: DuplicateIndex, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Counter[str]]:
    """Return the documents of a batch that repeat no earlier one, and how many others there are of each kind."""
    columns = (batch[column].to_pylist() for column in ("id", *MARKS.names[1:]))
    repeats = [index.add(name, Fingerprint(*marks)) for name, *marks in zip(*columns, strict=True)]
    kinds = Counter(
        "equal to an earlier one" if repeat.likeness == 1 else "like an earlier one"
        for repeat in repeats
        if repeat is not None
    )
    return batch.filter(pa.array([repeat is None for repeat in repeats])), kinds


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
