"""What uncertain labels count as when a model is scored, and the checks that every score needs."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.scores import Convention

_UNCERTAIN = -1.0


class UncertainPolicy(StrEnum):
    """What an uncertain label counts as in a score (Irvin et al., AAAI 2019); blank labels never count.

    Training knows a smoothed label besides, which no score that counts cases could use.
    """

    IGNORE = "ignore"
    ZEROS = "zeros"
    ONES = "ones"

    @property
    def convention(self) -> Convention | None:
        """The F1 convention that it amounts to; None where uncertain labels are left out, which is neither."""
        return _CONVENTIONS[self]

    @property
    def note(self) -> str:
        """What has to be said of it beside a score."""
        return _NOTES[self]


_VALUES = {UncertainPolicy.IGNORE: float("nan"), UncertainPolicy.ZEROS: 0.0, UncertainPolicy.ONES: 1.0}
_CONVENTIONS = {
    UncertainPolicy.IGNORE: None,
    UncertainPolicy.ZEROS: Convention.POSITIVE_ONLY,
    UncertainPolicy.ONES: Convention.POSITIVE_AND_UNCERTAIN,
}
_NOTES = {
    UncertainPolicy.IGNORE: "uncertain labels left out",
    UncertainPolicy.ZEROS: "uncertain labels count as negative",
    UncertainPolicy.ONES: "uncertain labels count as positive",
}


def resolve_uncertain(truth: ConditionTable, policy: UncertainPolicy) -> ConditionTable:
    """Return labels of 1, 0 and NaN (not to be counted) only. Raises EvaluationError for a value that is no label."""
    values = truth.values
    strange = ~(np.isnan(values) | np.isin(values, (1.0, 0.0, _UNCERTAIN)))
    if strange.any():
        row, column = np.argwhere(strange)[0]
        raise EvaluationError(
            f"{values[row, column]:g} is no label: {truth.conditions[column].value}, case {row + 1} of {len(truth)}.",
            "Labels are 1, 0, -1 (uncertain) or empty.",
        )
    resolved = np.where(values == _UNCERTAIN, _VALUES[policy], values)
    return ConditionTable(truth.ids, truth.conditions, resolved, truth.groups)


def scored_pair(
    truth: ConditionTable, probabilities: ConditionTable, policy: UncertainPolicy
) -> tuple[ConditionTable, ConditionTable]:
    """Return labels of 1, 0 and NaN, and the probabilities of the same cases and conditions, matched by name.

    Cases and conditions are those of ``truth``, and so are the patients. Raises ConditionTableError for a case or
    condition without a probability, EvaluationError for no case at all or for a value outside [0, 1].
    """
    if not len(truth):
        raise EvaluationError("There is no case to score.", "Check the data folder and the split.")
    known, given = align(resolve_uncertain(truth, policy), probabilities)
    outside = ~((given.values >= 0) & (given.values <= 1))
    if outside.any():
        condition = given.conditions[int(np.flatnonzero(outside.any(axis=0))[0])]
        raise EvaluationError(
            f"{int(outside.sum())} of {outside.size} probabilities are missing or outside [0, 1]; "
            f"the first are of {condition.value}.",
            "Give calibrated probabilities, not logits, for every case.",
        )
    return known, given
