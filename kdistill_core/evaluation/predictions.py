"""What a model said of each case, as one table that any system can fill in.

Written as Parquet with its origin in the schema's metadata; read back from that or from the CSV file of another system,
so that both are scored by the same yardstick. A table holds a probability for each of some conditions, a report, or
both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kdistill_core.condition_table import ConditionTable, ConditionTableError
from kdistill_core.conditions import CONDITIONS, Condition, condition_named
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.records import Provenance
from kdistill_core.serialization import RecordError, from_json, to_json
from kdistill_core.tables import column_names, read_rows

ID, REPORT = "id", "report"
SUFFIXES = (".parquet", ".csv", ".csv.gz")
_ORIGIN_KEY = b"kdistill.origin"
_SHOWN = 3


@dataclass(frozen=True)
class Origin:
    """Where predictions come from.

    data_set, split: what was predicted; empty where the table does not say. thresholds: the model's own, by condition.
    """

    provenance: Provenance = field(default_factory=Provenance)
    data_set: str = ""
    split: str = ""
    thresholds: dict[Condition, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said of each case.

    ids: of the cases, unique. probabilities: of the same cases in the same order, values in [0, 1]; None where the
    model gives none. reports: the text of each case; None where the model writes none. unused: columns of the table
    that mean nothing here. lines: of each case in the file it was read from, 0 where it comes from none.
    """

    ids: tuple[str, ...]
    probabilities: ConditionTable | None = None
    reports: tuple[str, ...] | None = None
    origin: Origin = field(default_factory=Origin)
    unused: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: Sequence[str]) -> Predictions:
        """Return the predictions of these cases, in this order. Raises KeyError for one that is not there."""
        places = {name: place for place, name in enumerate(self.ids)}
        at = [places[name] for name in ids]
        return replace(
            self,
            ids=tuple(ids),
            probabilities=None if self.probabilities is None else self.probabilities.rows(ids),
            reports=None if self.reports is None else tuple(self.reports[place] for place in at),
            lines=tuple(self.lines[place] for place in at) if self.lines else (),
        )


def is_predictions_file(path: Path) -> bool:
    """Tell by its name whether ``path`` is a table of predictions and not a model's folder."""
    return path.name.lower().endswith(SUFFIXES) and not path.is_dir()


def read_predictions(path: Path) -> Predictions:
    """Return the predictions in a Parquet file of :func:`write_predictions`, or in a CSV file.

    Columns: ``id``; up to 14 named after the conditions, with probabilities; ``report``. Raises TableError and
    EvaluationError, which name file, line and remedy, for a file that cannot be read, a doubled id, a probability that
    is missing or not in [0, 1], and a table without anything to score.
    """
    if not path.is_file():
        raise EvaluationError(f"There is no table {path}.", "Give a .parquet or .csv file of predictions.")
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write ``predictions`` as Parquet; the file is there whole or not at all."""
    columns: dict[str, pa.Array] = {ID: pa.array(predictions.ids, pa.string()), **prediction_columns(predictions)}
    write_table(pa.table(columns), predictions.origin, path)


def prediction_columns(predictions: Predictions) -> dict[str, pa.Array]:
    """Return the columns of probabilities, each under its condition's name, and of reports, as far as there are any."""
    columns: dict[str, pa.Array] = {}
    if predictions.probabilities is not None:
        table = predictions.probabilities
        columns |= {condition.value: pa.array(table.column(condition)) for condition in table.conditions}
    if predictions.reports is not None:
        columns[REPORT] = pa.array(predictions.reports, pa.string())
    return columns


def write_table(table: pa.Table, origin: Origin, path: Path) -> None:
    """Write a table with an ``id`` column and its origin as Parquet; the file is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    pq.write_table(table.replace_schema_metadata({_ORIGIN_KEY: to_json(origin, indent=0)}), partial)
    partial.replace(path)


def _read_parquet(path: Path) -> Predictions:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        first = (str(error).splitlines() or ["?"])[0]
        raise EvaluationError(f"{path} is not a whole Parquet file ({first}).", "Write or copy it again.") from error
    names = list(table.column_names)
    doubled = [name for index, name in enumerate(names) if name in names[:index]]
    if doubled:
        raise EvaluationError(f"{path}: the column {doubled[0]!r} is there twice.", "Remove one of them.")
    if ID not in names:
        raise EvaluationError(f"{path}: there is no column 'id'.", "Name the column of the cases 'id'.")
    cells = {name: table.column(name).to_pylist() for name in names if name in (ID, REPORT) or condition_named(name)}
    metadata = (table.schema.metadata or {}).get(_ORIGIN_KEY)
    try:
        origin = Origin() if metadata is None else from_json(metadata, Origin)
    except RecordError as error:
        raise EvaluationError(f"{path}: its origin cannot be read. {error.problem}", error.advice) from error
    lines = range(1, table.num_rows + 1)
    return _checked(path, "row", lines, cells, [name for name in names if name not in cells], origin)


def _read_csv(path: Path) -> Predictions:
    names = column_names(path)
    used = [name for name in names if name in (ID, REPORT) or condition_named(name)]
    rows = list(read_rows(path, (ID,)))
    cells = {name: [row[name] for row in rows] for name in used}
    unused = [name for name in names if name not in used]
    return _checked(path, "line", [row.line for row in rows], cells, unused, Origin())


def _checked(
    path: Path,
    unit: str,
    lines: Sequence[int],
    cells: Mapping[str, Sequence[object]],
    unused: Sequence[str],
    origin: Origin,
) -> Predictions:
    """Return the predictions in ``cells``, by column. unit: what ``lines`` count, for messages."""
    ids = tuple("" if cell is None else str(cell).strip() for cell in cells[ID])
    if not ids:
        raise EvaluationError(f"{path} holds no case.", "Give a table with a row for each case.")
    seen: dict[str, int] = {}
    for name, line in zip(ids, lines, strict=True):
        if not name:
            raise EvaluationError(f"{path}, {unit} {line}: the id is empty.", "Give every case its id.")
        if name in seen:
            raise EvaluationError(
                f"{path}, {unit} {line}: the id {name!r} was there before, in {unit} {seen[name]}.",
                "Give one row a case.",
            )
        seen[name] = line
    probabilities = _probabilities(path, unit, lines, ids, cells)
    reports = tuple("" if cell is None else str(cell) for cell in cells[REPORT]) if REPORT in cells else None
    if probabilities is None and reports is None:
        raise EvaluationError(
            f"{path} has neither a column 'report' nor one that is named after a condition.",
            f"Name columns of probabilities {', '.join(CONDITIONS[:_SHOWN])} and so on, and the texts 'report'.",
        )
    return Predictions(ids, probabilities, reports, origin, tuple(unused), tuple(lines))


def _probabilities(
    path: Path, unit: str, lines: Sequence[int], ids: tuple[str, ...], cells: Mapping[str, Sequence[object]]
) -> ConditionTable | None:
    named = {name: condition for name in cells if (condition := condition_named(name)) is not None}
    if not named:
        return None
    columns = [
        [_probability(path, f"{unit} {line}", name, cell) for line, cell in zip(lines, cells[name], strict=True)]
        for name in named
    ]
    try:
        return ConditionTable(ids, tuple(named.values()), np.asarray(columns, dtype=np.float64).T)
    except ConditionTableError as error:
        raise EvaluationError(f"{path}: {error.problem}", error.advice) from error


def _probability(path: Path, where: str, column: str, cell: object) -> float:
    try:
        value = float(str(cell))
    except ValueError:
        value = math.nan
    if 0.0 <= value <= 1.0:
        return value
    shown = "nothing" if cell in (None, "") else repr(cell)
    raise EvaluationError(
        f"{path}, {where}, column {column!r}: {shown} is not a probability.",
        "Give a number from 0 to 1 for every case, or leave the column out; logits go through a sigmoid first.",
    )
