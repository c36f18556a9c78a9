"""The studies of a data set and their rationales: what each is to be written of, and the table that says where it is.

Many studies share a rationale: of labels alone there are some thousand different contexts, however many studies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from kdistill_core.conditions import Condition, State
from kdistill_core.labeling import label_report
from kdistill_core.records import Study
from kdistill_core.teacher.context import SPOKEN_STATES, RationaleContext, contexts_of
from kdistill_core.teacher.drafts import WriterIdentity
from kdistill_core.teacher.errors import RationaleStoreError
from kdistill_core.teacher.knowledge import KnowledgeBase
from kdistill_core.teacher.store import stored_whole

CASES = "cases.parquet"
_SCHEMA = pa.schema([("study", pa.string()), ("condition", pa.string()), ("key", pa.string())])
_ROWS = 8192


class ContextSource(StrEnum):
    """Where the findings of a study are read from."""

    LABELS = "labels"
    REPORT = "report"


def study_contexts(
    study: Study, knowledge: KnowledgeBase, source: ContextSource, states: Collection[State] = SPOKEN_STATES
) -> tuple[RationaleContext, ...] | None:
    """Return what is to be written for a study; None where it has no labels, or no report, to tell it from."""
    if source is ContextSource.LABELS:
        return contexts_of(study.findings, knowledge, None, states) if study.findings else None
    if study.report is None or not study.report.text.strip():
        return None
    return contexts_of(label_report(study.report.text), knowledge, study.report, states)


class CaseWriter:
    """Takes the keys of one study after the other."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[dict[str, str]] = []

    def add(self, study: str, keys: Mapping[Condition, str]) -> None:
        """Add the key of each condition's rationale in a study."""
        self._rows.extend({"study": study, "condition": condition.value, "key": key} for condition, key in keys.items())
        if len(self._rows) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=_SCHEMA))
        self._rows = []


@contextmanager
def case_table(path: Path, writer: WriterIdentity, seed: int) -> Iterator[CaseWriter]:
    """Write the table of cases; it is there once the block has ended, and not at all where it failed.

    Its metadata say whose rationales it names, because a store may hold those of several writers.
    """
    about = {b"kdistill.writer": msgspec.json.encode(writer), b"kdistill.seed": str(seed).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        stored_whole(path) as partial_path,
        pq.ParquetWriter(partial_path, _SCHEMA.with_metadata(about), compression="zstd") as table,
    ):
        cases = CaseWriter(table)
        yield cases
        cases.flush()


def read_cases(path: Path) -> Iterator[tuple[str, dict[Condition, str]]]:
    """Yield each study's id and, by condition, the keys of its rationales. Raises RationaleStoreError."""
    try:
        rows = pq.read_table(path, schema=_SCHEMA).to_pylist()
    except (OSError, pa.ArrowException) as error:
        first = (str(error).splitlines() or ["?"])[0]
        raise RationaleStoreError(
            f"{path} is not a table of cases ({first}).", "Write it again: `kdistill teacher write` reuses the rest."
        ) from error
    study = ""
    keys: dict[Condition, str] = {}
    for row in rows:
        if keys and row["study"] != study:
            yield study, keys
            keys = {}
        study = row["study"]
        keys[Condition(row["condition"])] = row["key"]
    if keys:
        yield study, keys
