"""Tables of reports and tables of labels: ``id`` and ``report`` in, ``id`` and the 14 conditions out.

Labels are written as CheXpert writes them (Irvin et al., AAAI 2019): 1 positive, 0 negative, -1 uncertain, and an empty
cell for what is not mentioned. Errors name file and line and never quote a row.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, STATE_CODES, Condition, State
from kdistill_core.labeling.labelers import LabelingError
from kdistill_core.records import Finding
from kdistill_core.tables import Row, column_names, read_rows

ID = "id"
REPORT = "report"
# The columns of CheXpert's own train.csv, which begin with No Finding.
LABEL_COLUMNS: tuple[Condition, ...] = (Condition.NO_FINDING, *FINDING_CONDITIONS)

_CELLS = {state: "" if code is None else f"{code:.0f}" for state, code in STATE_CODES.items()}
_VALUES = {_CELLS[state]: float("nan") if code is None else code for state, code in STATE_CODES.items()}
# As pandas writes a column that has empty cells.
_VALUES |= {f"{cell}.0": value for cell, value in _VALUES.items() if cell}


@dataclass(frozen=True)
class ReportRow:
    """A report of a table; ``line`` is the first of its row in the file."""

    line: int
    id: str
    text: str


def read_reports(path: Path) -> Iterator[ReportRow]:
    """Yield the reports of a CSV file with the columns ``id`` and ``report``, one at a time.

    Only the ids are kept in memory. Raises TableError for a table that cannot be read as such, LabelingError for an id
    that is empty or there twice.
    """
    for row in _rows_by_id(path, (ID, REPORT)):
        yield ReportRow(row.line, row[ID], row.cells[REPORT])


def count_reports(path: Path) -> int:
    """Return the number of reports, all of which have been read: raises whatever :func:`read_reports` would raise."""
    return sum(1 for _ in read_reports(path))


def ignored_columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a table of reports that nothing is read from."""
    return tuple(name for name in column_names(path) if name not in (ID, REPORT))


def read_labels(path: Path) -> ConditionTable:
    """Return the labels of a CSV file with a column ``id`` and one for each of the 14 conditions, in any order.

    Cells hold 1, 0, -1 (also written 1.0, 0.0, -1.0) or nothing; other columns are ignored. Raises TableError for a
    table that lacks a column or cannot be read, LabelingError for another value and for an id that is empty or doubled.
    """
    ids: list[str] = []
    values: list[list[float]] = []
    for row in _rows_by_id(path, (ID, *CONDITIONS)):
        ids.append(row[ID])
        values.append([_value(path, row, condition) for condition in CONDITIONS])
    return ConditionTable(tuple(ids), CONDITIONS, np.array(values, dtype=np.float64).reshape(-1, len(CONDITIONS)))


class LabelWriter:
    """Writes one row of labels a report to an open file, under a header."""

    def __init__(self, stream: TextIO) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow((ID, *LABEL_COLUMNS))

    def write(self, report_id: str, findings: Sequence[Finding]) -> None:
        """Write the labels of a report; a condition without a finding is blank."""
        states = {finding.condition: finding.state for finding in findings}
        cells = (_CELLS[states.get(condition, State.BLANK)] for condition in LABEL_COLUMNS)
        self._writer.writerow((report_id, *cells))


def write_evidence(stream: TextIO, report_id: str, text: str, findings: Sequence[Finding]) -> None:
    """Write a line of JSON: each condition that is not blank, its state, and the passages of ``text`` that say so.

    ``start`` and ``end`` count characters of ``text``, which is the report or the section of it that was labeled.
    """
    said = [
        {
            "condition": finding.condition.value,
            "state": finding.state.value,
            "evidence": [
                {"start": span.start, "end": span.end, "text": text[span.start : span.end]} for span in finding.evidence
            ],
        }
        for finding in findings
        if finding.state is not State.BLANK
    ]
    stream.write(json.dumps({ID: report_id, "findings": said}, ensure_ascii=False) + "\n")


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that gets its name only when the block has ended without an error.

    Until then it is called ``NAME.PROCESS.partial``; an error removes it, a kill leaves it under that name. Gzipped
    when ``path`` ends in ``.gz``. Raises LabelingError where it cannot be created.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    open_text = gzip.open if path.suffix == ".gz" else open
    try:
        stream = cast("TextIO", open_text(partial, "wt", encoding="utf-8", newline=""))
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}."
        raise LabelingError(problem, "Check that the folder is there and may be written to.") from error
    try:
        with stream:
            yield stream
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _rows_by_id(path: Path, required: Sequence[str]) -> Iterator[Row]:
    lines: dict[str, int] = {}
    for row in read_rows(path, required):
        name = row[ID]
        if not name:
            raise LabelingError(f"{path}, line {row.line}: the id is empty.", "Give every report its own id.")
        if name in lines:
            raise LabelingError(
                f"{path}, line {row.line}: the id was there before, in line {lines[name]}.",
                "Remove one of the two, or give it another id.",
            )
        lines[name] = row.line
        yield row


def _value(path: Path, row: Row, condition: Condition) -> float:
    cell = row[condition]
    if cell not in _VALUES:
        raise LabelingError(
            f"{path}, line {row.line}: the cell under {condition.value!r} is no label.",
            "Write 1, 0, -1, or leave it empty.",
        )
    return _VALUES[cell]
