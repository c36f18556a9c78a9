"""F1 of what generated reports say of the conditions, against labels; with CheXbert as the labeler, CheXbert F1.

Smit et al., EMNLP 2020. Published figures differ in three choices that are spelled out here: which states count as
present (:class:`Convention`, both are computed), what a blank label of the truth means (:class:`BlankTruth`), and which
conditions are averaged over (:data:`SUBSETS`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.conditions import CONDITIONS, FIVE_CONDITIONS, Condition
from kdistill_core.evaluation.label_policy import UncertainPolicy, resolve_uncertain
from kdistill_core.evaluation.measures import CaseValues, Floats, Measure, divide, mean_of, ratio
from kdistill_core.evaluation.metric_facts import TEXT_F1, TEXT_PRECISION, TEXT_RECALL
from kdistill_core.evaluation.scores import Convention, Score

METRICS = (TEXT_PRECISION, TEXT_RECALL, TEXT_F1)

_UNCERTAIN = {policy.convention: policy for policy in UncertainPolicy if policy.convention is not None}


class BlankTruth(StrEnum):
    """What a blank label of the truth means."""

    NEGATIVE = "a blank label counts as absent"  # read from a report: what is not said is not there, as in CheXbert F1
    UNKNOWN = "blank labels are left out"  # given by a data set that labels some conditions or cases only


@dataclass(frozen=True)
class Subset:
    """Conditions to average over."""

    name: str
    conditions: tuple[Condition, ...]


# No Finding and Lung Opacity are frequent and follow from other conditions, which flatters the micro average.
_FOLLOWING = (Condition.NO_FINDING, Condition.LUNG_OPACITY)
SUBSETS = (
    Subset("14", CONDITIONS),
    Subset("5", FIVE_CONDITIONS),
    Subset(
        "12 (without No Finding and Lung Opacity)",
        tuple(condition for condition in CONDITIONS if condition not in _FOLLOWING),
    ),
)


@dataclass(frozen=True, eq=False)
class Tally:
    """Hits, false alarms and misses of every case.

    conditions: of the columns. counts: float64 [n, K, 3], zeros where the truth is unknown. known, present: bool
    [n, K], of the truth.
    """

    conditions: tuple[Condition, ...]
    counts: Floats
    known: NDArray[np.bool_]
    present: NDArray[np.bool_]

    def select(self, conditions: tuple[Condition, ...]) -> Tally:
        """Return the columns of those of ``conditions`` that the truth labels in some case."""
        labeled = [at for at, condition in enumerate(self.conditions) if self.known[:, at].any()]
        at = [index for condition in conditions for index in labeled if self.conditions[index] is condition]
        names = tuple(self.conditions[index] for index in at)
        return Tally(names, self.counts[:, at], self.known[:, at], self.present[:, at])


def tally(truth: ConditionTable, said: ConditionTable, convention: Convention, blank_truth: BlankTruth) -> Tally:
    """Count every case and condition of ``truth``, matched with ``said`` by name.

    A blank in ``said`` is a condition that the text does not name. Raises ConditionTableError for a case or a condition
    that ``said`` lacks, EvaluationError for a value that is no label.
    """
    uncertain = _UNCERTAIN[convention]
    labels, named = align(resolve_uncertain(truth, uncertain), resolve_uncertain(said, uncertain))
    there, stated = labels.values == 1, named.values == 1
    known = ~np.isnan(labels.values) if blank_truth is BlankTruth.UNKNOWN else np.ones(there.shape, dtype=bool)
    counts = np.stack([there & stated, ~there & stated, there & ~stated], axis=-1) & known[..., None]
    return Tally(truth.conditions, counts.astype(np.float64), known, there & known)


def rates(sums: Floats) -> Floats:
    """Return precision, recall and F1 [..., 3] of hits, false alarms and misses [..., 3]; NaN for 0 / 0."""
    hits, alarms, misses = sums[..., 0], sums[..., 1], sums[..., 2]
    return np.stack(
        [divide(hits, hits + alarms), divide(hits, hits + misses), divide(2 * hits, 2 * hits + alarms + misses)],
        axis=-1,
    )


def f1_measures(
    truth: ConditionTable, said: ConditionTable, blank_truth: BlankTruth, labeler: str
) -> tuple[Measure, ...]:
    """Return precision, recall and F1 per condition, and micro, macro and per case over each subset.

    All of it once in each convention. Micro pools the counts of the conditions. Macro is the mean over conditions; one
    that is neither present nor said counts 0, as in scikit-learn. Per case is the mean over cases of the figure for the
    case's two sets of conditions (the ``samples`` average of scikit-learn); two empty sets count 0, as there.
    Conditions that the truth never labels are left out of every average and named. Raises as :func:`tally`.
    """
    measures: list[Measure] = []
    for convention in Convention:
        counted = tally(truth, said, convention, blank_truth)
        measures += _of_conditions(counted, convention, blank_truth, labeler)
        for subset in SUBSETS:
            measures += _of_subset(counted, subset, convention, blank_truth, labeler)
    return tuple(measures)


def _of_conditions(counted: Tally, convention: Convention, blank_truth: BlankTruth, labeler: str) -> list[Measure]:
    measures = []
    for condition in CONDITIONS:
        own = counted.select((condition,))
        cases, positive = int(own.known.sum()), int(own.present.sum())
        contributions = own.counts.sum(axis=1)
        note = _condition_note(own, blank_truth)
        for index, metric in enumerate(METRICS):
            score = Score(
                metric.name, condition.value, None, cases, positive=positive, convention=convention, note=note
            )
            measures.append(Measure(replace(score, labeler=labeler), contributions, _rate(index)))
    return measures


def _condition_note(own: Tally, blank_truth: BlankTruth) -> str:
    if not own.conditions:
        return "the truth never labels this condition"
    notes = [str(blank_truth)]
    if not own.present.any():
        notes.append("no case has it")
    if not own.counts[..., :2].any():
        notes.append("no text names it")
    return "; ".join(notes)


def _of_subset(
    counted: Tally, subset: Subset, convention: Convention, blank_truth: BlankTruth, labeler: str
) -> list[Measure]:
    own = counted.select(subset.conditions)
    labeled = own.known.any(axis=1)
    over, note = _scope_and_note(subset, own, blank_truth)
    pooled = own.counts.sum(axis=1)
    by_condition = own.counts.reshape(len(own.counts), 3 * len(own.conditions))
    by_case = np.where(np.stack([labeled] * 3, axis=1), np.nan_to_num(rates(pooled)), np.nan)
    neither = int((labeled & (pooled.sum(axis=1) == 0)).sum())
    case_note = f"{note}; {neither} cases in which neither side names a condition count 0" if neither else note
    measures = []
    for index, metric in enumerate(METRICS):
        score = Score(metric.name, "", None, int(labeled.sum()), convention=convention, labeler=labeler, note=note)
        column = CaseValues(f"{metric.name} over {over}, {convention}", by_case[:, index])
        measures += [
            Measure(replace(score, scope=f"micro over {over}"), pooled, _rate(index)),
            Measure(replace(score, scope=f"macro over {over}"), by_condition, _mean_rate(index)),
            Measure(
                replace(score, scope=f"per case over {over}", note=case_note),
                mean_of(column.values),
                ratio,
                column if metric is TEXT_F1 else None,
            ),
        ]
    return measures


def _scope_and_note(subset: Subset, own: Tally, blank_truth: BlankTruth) -> tuple[str, str]:
    left_out = [condition.value for condition in subset.conditions if condition not in own.conditions]
    unseen = [condition.value for at, condition in enumerate(own.conditions) if not own.counts[:, at].any()]
    notes = [str(blank_truth)]
    if left_out:
        notes.append("left out, because the truth never labels them: " + ", ".join(left_out))
    if unseen:
        notes.append("neither present nor said in any case, counting 0 in macro: " + ", ".join(unseen))
    over = f"{len(own.conditions)} of {subset.name}" if left_out else subset.name
    return over, "; ".join(notes)


def _rate(index: int) -> Callable[[Floats], Floats]:
    def formula(sums: Floats) -> Floats:
        return np.asarray(rates(sums)[..., index])

    return formula


def _mean_rate(index: int) -> Callable[[Floats], Floats]:
    def formula(sums: Floats) -> Floats:
        each = rates(sums.reshape(*sums.shape[:-1], -1, 3))[..., index]
        if not each.shape[-1]:
            return np.full(each.shape[:-1], np.nan)
        return np.asarray(np.nan_to_num(each).mean(-1))

    return formula
