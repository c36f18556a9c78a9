"""The gold labels of Open-i: 14 NIH conditions that NCBI coded from the MeSH terms of each report.

The table came with NegBio (Peng et al., AMIA Informatics Summit 2018). Of its 14 conditions, 11 have a counterpart
among ours, two of them (Mass and Nodule) the same one. Its column ``normal`` stays out: it says that MeSH called the
study normal, which is stricter than that none of the 14 is named (No Finding).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import CONDITIONS, Condition, Source, condition_named
from kdistill_core.tables import TableError, column_names, read_rows

_ID = "filename"
_NOT_CONDITIONS = frozenset({_ID, "normal"})


def read_openi_gold(path: Path) -> ConditionTable:
    """Return the gold labels of ``openi_gold_14_nih_conditions.csv``: 1 or 0, ids as in the table, such as ``CXR12``.

    A condition is positive where any of the table's columns for it is: Mass or Nodule for Lung Lesion. Conditions
    without a column there are not in the result. Raises TableError for a cell that is neither 1 nor 0 and for an id
    that occurs twice.
    """
    columns = gold_columns(path)
    conditions = tuple(condition for condition in CONDITIONS if condition in columns.values())
    lines: dict[str, int] = {}
    values: list[list[float]] = []
    for row in read_rows(path, (_ID, *columns)):
        name = row[_ID]
        if name in lines:
            raise TableError(
                f"{path}, line {row.line}: {name!r} is there already, in line {lines[name]}.", "Remove one of the two."
            )
        lines[name] = row.line
        positive = {columns[column] for column in columns if _is_set(row[column], path, row.line, column)}
        values.append([float(condition in positive) for condition in conditions])
    return ConditionTable(tuple(lines), conditions, np.asarray(values, dtype=np.float64).reshape(-1, len(conditions)))


def gold_columns(path: Path) -> dict[str, Condition]:
    """Return the table's columns that have a counterpart among the 14. Raises TableError where there is none."""
    named = {name: condition_named(name, Source.NIH) for name in column_names(path) if name not in _NOT_CONDITIONS}
    columns = {name: condition for name, condition in named.items() if condition is not None}
    if not columns:
        raise TableError(f"{path}, line 1: no column is named after one of NIH's conditions.", "Give the gold table.")
    return columns


def _is_set(cell: str, path: Path, line: int, column: str) -> bool:
    if cell not in {"0", "1"}:
        raise TableError(f"{path}, line {line}, column {column!r}: {cell!r} is neither 1 nor 0.", "Write 1 or 0.")
    return cell == "1"
