"""Labels as CheXpert's labeler writes them: a column for each of the 14 conditions, cells of 1, 0, -1 or nothing.

MIMIC-CXR and CheXpert share the layout and order the columns differently, so columns are found by name. A study's 14
labels are kept packed until they are asked for: hundreds of thousands of studies share a few thousand combinations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from kdistill_core.conditions import CONDITIONS, Condition, State, state_of_code
from kdistill_core.records import Finding
from kdistill_core.tables import Row, TableError

_AIRSPACE_OPACITY = "Airspace Opacity"
_STATES = tuple(State)
_ADVICE = "A label is 1 (positive), 0 (negative), -1 (uncertain) or an empty cell (not mentioned)."
_CELLS = {
    "": State.BLANK,
    "1": State.POSITIVE,
    "1.0": State.POSITIVE,
    "0": State.NEGATIVE,
    "0.0": State.NEGATIVE,
    "-1": State.UNCERTAIN,
    "-1.0": State.UNCERTAIN,
}

# One byte a condition, in the order of CONDITIONS: the place of its state in State.
PackedLabels = bytes
_PLACES = {cell: _STATES.index(state) for cell, state in _CELLS.items()}
# Findings never change, so that all studies share these 56.
_FINDINGS = tuple(tuple(Finding(condition, state) for state in _STATES) for condition in CONDITIONS)
_BLANK = _STATES.index(State.BLANK)
BLANK: PackedLabels = bytes([_BLANK] * len(CONDITIONS))


def label_columns(names: Collection[str], optional: Collection[Condition] = ()) -> dict[Condition, str]:
    """Return the column that a table of these columns must have for each condition, in the order of ``CONDITIONS``.

    "Airspace Opacity" stands for Lung Opacity where there is none, as in labels made by hand. optional: conditions that
    may have no column and then have none here.
    """
    found = {condition: condition.value for condition in CONDITIONS}
    if found[Condition.LUNG_OPACITY] not in names and _AIRSPACE_OPACITY in names:
        found[Condition.LUNG_OPACITY] = _AIRSPACE_OPACITY
    return {condition: name for condition, name in found.items() if name in names or condition not in optional}


def pack_row(path: Path, row: Row, columns: Mapping[Condition, str]) -> PackedLabels:
    """Return the labels of a table's row; blank where ``columns``, of :func:`label_columns`, has none.

    Raises TableError with file and line for a cell that is no label.
    """
    cells = row.cells
    try:
        return bytes(
            [_PLACES[cells[columns[condition]].strip()] if condition in columns else _BLANK for condition in CONDITIONS]
        )
    except KeyError:
        wrong = next(c for c, column in columns.items() if cells[column].strip() not in _PLACES)
        problem = f"{path}, line {row.line}: {cells[columns[wrong]].strip()!r} is no label of {wrong.value}."
        raise TableError(problem, _ADVICE) from None


def pack_record(path: Path, line: int, record: Mapping[str, object]) -> PackedLabels:
    """Return the labels of a JSON object that holds a number or null for each of the 14.

    Raises TableError with file and line for a condition that is missing and for a value that is no label.
    """
    return bytes([_STATES.index(_state(path, line, record, condition)) for condition in CONDITIONS])


def _state(path: Path, line: int, record: Mapping[str, object], condition: Condition) -> State:
    if condition.value not in record:
        raise TableError(
            f"{path}, line {line}: there is no label of {condition.value}.", "Give all 14 conditions in every line."
        )
    value = record[condition.value]
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TableError(f"{path}, line {line}: {value!r} is no label of {condition.value}.", _ADVICE)
    try:
        return state_of_code(value)
    except ValueError as error:
        raise TableError(f"{path}, line {line}: {value!r} is no label of {condition.value}.", _ADVICE) from error


def unpack(labels: PackedLabels) -> tuple[Finding, ...]:
    """Return the 14 findings in the order of ``CONDITIONS``."""
    return tuple(of_condition[place] for of_condition, place in zip(_FINDINGS, labels, strict=True))
