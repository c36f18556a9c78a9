"""Where a generated report says the opposite of its reference, which no similarity of words or meaning shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.conditions import FINDING_CONDITIONS, State
from kdistill_core.evaluation.label_policy import UncertainPolicy, resolve_uncertain
from kdistill_core.evaluation.measures import CaseMeasure, Floats, Measure, mean_of, ratio
from kdistill_core.evaluation.scores import Score
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding, Side

CONTRADICTIONS = "contradiction rate"
OPPOSITE_SIDES = "opposite side rate"
POOLED = "all findings"
CASES = "cases with any"

_STATES = "positive against negative, of the findings that both sides call one or the other; uncertain is neither"
_SIDES = "left against right, of the findings that the rules read as positive, with a side, in both texts"


def contradiction_measures(truth: ConditionTable, said: ConditionTable, labeler: str) -> tuple[CaseMeasure, ...]:
    """Return how often texts call a finding positive that the truth calls negative, or the other way round.

    Labels are 1, 0, -1 (uncertain) and NaN (blank). Per condition and pooled, of those that both call positive or
    negative (their number is the score's n); and the share of all cases with at least one. No Finding is left out:
    labelers derive it from the other conditions, so a report never denies it. ``cases`` is the number of contradictions
    in each case. Raises ConditionTableError for a case or a condition that ``said`` lacks, EvaluationError for a value
    that is no label.
    """
    conditions = [condition for condition in FINDING_CONDITIONS if condition in truth.conditions]
    certain = [resolve_uncertain(table, UncertainPolicy.IGNORE) for table in (truth.select(conditions), said)]
    labels, stated = (table.values for table in align(*certain))
    compared = ~np.isnan(labels) & ~np.isnan(stated)
    opposite = compared & (labels != stated)
    return (
        *(
            _rate(CONTRADICTIONS, condition.value, opposite[:, [at]], compared[:, [at]], labeler, _STATES)
            for at, condition in enumerate(conditions)
        ),
        _rate(CONTRADICTIONS, POOLED, opposite, compared, labeler, _STATES),
        _cases(CONTRADICTIONS, opposite, labeler, _STATES),
    )


def side_measures(texts: Sequence[str], references: Sequence[str]) -> tuple[CaseMeasure, ...]:
    """Return how often texts place a finding on the other side of the patient than their references do.

    Sides are those that the built-in rules read, whatever labeler read the conditions. Pooled, of the findings that
    both texts assert with a side (left, right, or both, which opposes neither); and the share of all cases with at
    least one. ``cases`` is the number in each case.
    """
    reference, said = _sides(references), _sides(texts)
    compared = ~np.isnan(reference) & ~np.isnan(said)
    opposite = reference * said == -1
    return (
        _rate(OPPOSITE_SIDES, POOLED, opposite, compared, "rules", _SIDES),
        _cases(OPPOSITE_SIDES, opposite, "rules", _SIDES),
    )


def _rate(
    metric: str, scope: str, opposite: NDArray[np.bool_], compared: NDArray[np.bool_], labeler: str, note: str
) -> CaseMeasure:
    counts = np.stack([opposite.sum(1), compared.sum(1)], axis=1).astype(np.float64)
    score = Score(metric, scope, None, int(compared.sum()), higher_is_better=False, labeler=labeler, note=note)
    return CaseMeasure(Measure(score, counts, ratio), counts[:, 0])


def _cases(metric: str, opposite: NDArray[np.bool_], labeler: str, note: str) -> CaseMeasure:
    counts = opposite.sum(1).astype(np.float64)
    score = Score(metric, CASES, None, len(counts), higher_is_better=False, labeler=labeler, note=note)
    return CaseMeasure(Measure(score, mean_of((counts > 0).astype(np.float64)), ratio), counts)


_CODES = {Side.LEFT: -1.0, Side.RIGHT: 1.0, Side.BILATERAL: 0.0, None: np.nan}


def _sides(texts: Sequence[str]) -> Floats:
    """Return float64 [n, 13]: -1 left, 1 right, 0 both, NaN where a text gives no side of a positive finding."""
    rows = []
    for text in texts:
        found = {finding.condition: finding for finding in label_report(text)}
        rows.append([_code(found[condition]) for condition in FINDING_CONDITIONS])
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(FINDING_CONDITIONS))


def _code(finding: Finding) -> float:
    return _CODES[finding.side] if finding.state is State.POSITIVE else np.nan
