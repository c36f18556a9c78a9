"""Values of many cases by condition, columns and rows known by name, so that an order can never be mixed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, STATE_CODES, Condition, State, state_of_code
from kdistill_core.errors import KDistillError
from kdistill_core.records import Finding


class ConditionTableError(KDistillError):
    """Two tables that do not speak of the same cases or conditions."""


@dataclass(frozen=True, eq=False)
class ConditionTable:
    """One number a case and condition: labels, logits or probabilities.

    ids: unique, of the cases. conditions: of the columns, in any order. values: float64 [n, K]; labels are 1, 0, -1
    (uncertain) and NaN (blank). groups: the patient of each case; the ids where none is given.
    Raises ConditionTableError for a doubled id or condition, or a shape that does not fit.
    """

    ids: tuple[str, ...]
    conditions: tuple[Condition, ...]
    values: NDArray[np.float64]
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.groups:
            object.__setattr__(self, "groups", self.ids)
        _refuse_doubled(self.ids, "case")
        _refuse_doubled(self.conditions, "condition")
        if self.values.shape != (len(self.ids), len(self.conditions)) or len(self.groups) != len(self.ids):
            raise ConditionTableError(
                f"{len(self.ids)} cases and {len(self.conditions)} conditions do not fit values of shape "
                f"{self.values.shape} or {len(self.groups)} patients.",
                "Give one row a case and one column a condition.",
            )

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, condition: Condition) -> NDArray[np.float64]:
        """Return float64 [n] of one condition. Raises ConditionTableError where the table lacks it."""
        return self.select((condition,)).values[:, 0]

    def select(self, conditions: Sequence[Condition]) -> ConditionTable:
        """Return the table with these columns, in this order. Raises ConditionTableError."""
        missing = [condition for condition in conditions if condition not in self.conditions]
        if missing:
            raise ConditionTableError(f"The table has no column {missing[0].value!r}.", "Label or score it first.")
        at = [self.conditions.index(condition) for condition in conditions]
        return ConditionTable(self.ids, tuple(conditions), self.values[:, at], self.groups)

    def rows(self, ids: Sequence[str]) -> ConditionTable:
        """Return the table with these cases, in this order. Raises ConditionTableError."""
        places = {name: place for place, name in enumerate(self.ids)}
        missing = [name for name in ids if name not in places]
        if missing:
            raise ConditionTableError(
                f"{len(missing)} of {len(ids)} cases are not in the table; the first is {missing[0]!r}.",
                "Check that both tables name their cases alike.",
            )
        at = [places[name] for name in ids]
        return ConditionTable(tuple(ids), self.conditions, self.values[at], tuple(self.groups[i] for i in at))


def align(first: ConditionTable, *others: ConditionTable) -> tuple[ConditionTable, ...]:
    """Return the tables with the cases and the columns of ``first``, matched by name.

    Columns that ``others`` have beside those are dropped. Raises ConditionTableError for a case or a condition of
    ``first`` that another table lacks.
    """
    return first, *(other.select(first.conditions).rows(first.ids) for other in others)


def table_of_findings(
    ids: Sequence[str], findings: Iterable[Sequence[Finding]], groups: Sequence[str] = ()
) -> ConditionTable:
    """Return the labels of each case's findings, a column for each of ``CONDITIONS``; what is not named is blank.

    Raises ConditionTableError for a condition that is found twice in a case, a doubled id, or a number of ids that does
    not fit.
    """
    rows = []
    for of_case in findings:
        _refuse_doubled([finding.condition for finding in of_case], "condition")
        states = {finding.condition: finding.state for finding in of_case}
        codes = [STATE_CODES[states.get(condition, State.BLANK)] for condition in CONDITIONS]
        rows.append([float("nan") if code is None else code for code in codes])
    values = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(CONDITIONS))
    return ConditionTable(tuple(ids), CONDITIONS, values, tuple(groups))


def states_of(table: ConditionTable, row: int) -> dict[Condition, State]:
    """Return the state of every condition of one case. Raises ValueError for a value that is no label."""
    values = table.values[row]
    return {condition: state_of_code(float(value)) for condition, value in zip(table.conditions, values, strict=True)}


def _refuse_doubled(names: Sequence[str], what: str) -> None:
    if len(set(names)) != len(names):
        doubled = Counter(names).most_common(1)[0][0]
        raise ConditionTableError(f"The {what} {str(doubled)!r} is in the table twice.", "Remove one of the two.")
