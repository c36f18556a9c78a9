"""Where a generated report says the opposite of its reference, which no similarity of words or meaning shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.conditions import FINDING_CONDITIONS, State
from kdistill_core.evaluation.label_policy import UncertainPolicy, resolve_uncertain
from kdistill_core.evaluation.measures import CaseValues, Floats, Measure, mean_of, ratio
from kdistill_core.evaluation.metric_facts import CONTRADICTION_RATE, OPPOSITE_SIDE_RATE, MetricFacts
from kdistill_core.evaluation.scores import Score
from kdistill_core.labeling import label_report
from kdistill_core.records import Finding, Side

POOLED = "all findings"
CASES = "cases with any"

_STATES = "positive against negative, of the findings that both sides call one or the other; uncertain is neither"
_SIDES = "left against right, of the findings that the rules read as positive, with a side, in both texts"


def contradiction_measures(truth: ConditionTable, said: ConditionTable, labeler: str) -> tuple[Measure, ...]:
    """Return how often texts call a finding positive that the truth calls negative, or the other way round.

    Labels are 1, 0, -1 (uncertain) and NaN (blank). Per condition and pooled, of those that both call positive or
    negative (their number is the score's n); and the share of all cases with at least one. No Finding is left out:
    labelers derive it from the other conditions, so a report never denies it. Cases have the number of their
    contradictions. Raises ConditionTableError for a case or a condition that ``said`` lacks, EvaluationError for a
    value that is no label.
    """
    conditions = [condition for condition in FINDING_CONDITIONS if condition in truth.conditions]
    certain = [resolve_uncertain(table, UncertainPolicy.IGNORE) for table in (truth.select(conditions), said)]
    labels, stated = (table.values for table in align(*certain))
    compared = ~np.isnan(labels) & ~np.isnan(stated)
    opposite = compared & (labels != stated)
    return (
        *(
            _rate(CONTRADICTION_RATE, condition.value, opposite[:, [at]], compared[:, [at]], labeler, _STATES)
            for at, condition in enumerate(conditions)
        ),
        _rate(CONTRADICTION_RATE, POOLED, opposite, compared, labeler, _STATES),
        _cases(CONTRADICTION_RATE, opposite, labeler, _STATES),
    )


def side_measures(texts: Sequence[str], references: Sequence[str]) -> tuple[Measure, ...]:
    """Return how often texts place a finding on the other side of the patient than their references do.

    Sides are those that the built-in rules read, whatever labeler read the conditions. Pooled, of the findings that
    both texts assert with a side (left, right, or both, which opposes neither); and the share of all cases with at
    least one. Cases have their number.
    """
    reference, said = _sides(references), _sides(texts)
    compared = ~np.isnan(reference) & ~np.isnan(said)
    opposite = reference * said == -1
    return (
        _rate(OPPOSITE_SIDE_RATE, POOLED, opposite, compared, "rules", _SIDES),
        _cases(OPPOSITE_SIDE_RATE, opposite, "rules", _SIDES),
    )


def _rate(
    facts: MetricFacts, scope: str, opposite: NDArray[np.bool_], compared: NDArray[np.bool_], labeler: str, note: str
) -> Measure:
    counts = np.stack([opposite.sum(1), compared.sum(1)], axis=1).astype(np.float64)
    return Measure(_score(facts, scope, int(compared.sum()), labeler, note), counts, ratio)


def _cases(facts: MetricFacts, opposite: NDArray[np.bool_], labeler: str, note: str) -> Measure:
    counts = opposite.sum(1).astype(np.float64)
    score = _score(facts, CASES, len(counts), labeler, note)
    column = CaseValues(facts.name.replace("rate", "count"), counts)
    return Measure(score, mean_of((counts > 0).astype(np.float64)), ratio, column)


def _score(facts: MetricFacts, scope: str, n: int, labeler: str, note: str) -> Score:
    return Score(facts.name, scope, None, n, higher_is_better=facts.higher_is_better, labeler=labeler, note=note)


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
