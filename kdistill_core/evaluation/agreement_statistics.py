"""How far two explanations agree over many cases: by their labels, and by the verdicts on their sentences.

Kappa alone misleads where a condition is rare: two readers who agree on nearly every case can have a kappa near 0
(Feinstein and Cicchetti, J Clin Epidemiol 1990). So observed agreement, AC1 and PABAK stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy, resolve_uncertain
from kdistill_core.evaluation.measures import Floats, Measure, compute, divide, mean_of, ratio
from kdistill_core.evaluation.metric_facts import (
    AC1,
    AGREED,
    CONTRADICTED,
    KAPPA,
    OBSERVED_AGREEMENT,
    ONLY_STUDENT,
    ONLY_TEACHER,
    PABAK,
    MetricFacts,
)
from kdistill_core.evaluation.scores import Convention, Score, Section, Unit
from kdistill_core.records import Comparison, Verdict

POOLED = "all conditions"
CASES_CONTRADICTED = "cases with any"

_VERDICTS = {
    Verdict.AGREED: AGREED,
    Verdict.CONTRADICTED: CONTRADICTED,
    Verdict.ONLY_STUDENT: ONLY_STUDENT,
    Verdict.ONLY_TEACHER: ONLY_TEACHER,
}
_POLICIES = {policy.convention: policy for policy in UncertainPolicy if policy.convention is not None}


def observed_agreement(counts: Floats) -> Floats:
    """Return the share of cases on which two readers agree.

    counts: float64 [..., 4], cases that both, only the first, only the second and neither call present.
    """
    both, _, _, neither = np.moveaxis(counts, -1, 0)
    return divide(both + neither, counts.sum(-1))


def cohen_kappa(counts: Floats) -> Floats:
    """Return Cohen's kappa of counts [..., 4] as above; NaN where both readers say the same of every case."""
    first, second = _shares(counts)
    return _beyond(observed_agreement(counts), first * second + (1 - first) * (1 - second))


def gwet_ac1(counts: Floats) -> Floats:
    """Return Gwet's AC1 of counts [..., 4] as above (Br J Math Stat Psychol 2008, two categories)."""
    first, second = _shares(counts)
    mean = (first + second) / 2
    return _beyond(observed_agreement(counts), 2 * mean * (1 - mean))


def pabak(counts: Floats) -> Floats:
    """Return prevalence- and bias-adjusted kappa of counts [..., 4] as above (Byrt et al., J Clin Epidemiol 1993)."""
    return 2 * observed_agreement(counts) - 1


def agreement_scores(
    student: ConditionTable,
    teacher: ConditionTable,
    *,
    unit: Unit,
    labeler: str,
    section: Section | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[Score, ...]:
    """Return how far the labels of two explanations agree, per condition and pooled, with intervals by patient.

    student, teacher: labels 1, 0, -1 (uncertain) and NaN (blank) of the same cases; patients are the student's.
    Observed agreement, kappa, AC1 and PABAK compare whether each side has the condition, once in each convention. The
    shares agreed, contradicted, only student and only teacher are of the cases of which either side says anything, with
    the rule of :func:`kdistill_core.evaluation.agreement.compare`: an uncertain statement agrees with a positive one
    and contradicts a negative one. Pooled counts every condition of every case once.
    Raises ConditionTableError for cases or conditions that do not match, EvaluationError for a value that is no label.
    """
    measures: list[Measure] = []
    for convention, policy in _POLICIES.items():
        left, right = align(resolve_uncertain(student, policy), resolve_uncertain(teacher, policy))
        measures += _presence_measures(left.conditions, left.values == 1, right.values == 1, convention)
    measures += _statement_measures(*align(student, teacher))
    scores = compute(measures, student.groups, resamples, seed)
    return tuple(replace(score, section=section, unit=unit, labeler=labeler) for score in scores)


def comparison_scores(
    comparisons: Sequence[Comparison],
    groups: Sequence[str],
    *,
    unit: Unit,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[Score, ...]:
    """Return how the sentences of student and teacher stand to each other over many cases, with intervals by patient.

    comparisons: one a case, of :func:`kdistill_core.evaluation.agreement.compare`; groups: the patient of each. Shares
    of all matches, per condition and pooled, and the share of cases with a contradiction.
    Raises EvaluationError for no case, or where there is not one patient a case.
    """
    if len(groups) != len(comparisons):
        raise EvaluationError(
            f"There are {len(comparisons)} comparisons and {len(groups)} patients.", "Name the patient of each case."
        )
    named = tuple(Condition)
    verdicts = np.zeros((len(comparisons), len(named) + 1, len(_VERDICTS)))
    order = list(_VERDICTS)
    for row, comparison in enumerate(comparisons):
        for match in comparison.matches:
            column = len(named) if match.condition is None else named.index(match.condition)
            verdicts[row, column, order.index(match.verdict)] += 1
    measures = _share_measures(named, verdicts, "sentences, matched by condition and meaning")
    return tuple(replace(score, unit=unit) for score in compute(measures, groups, resamples, seed))


def _presence_measures(
    conditions: tuple[Condition, ...], first: NDArray[np.bool_], second: NDArray[np.bool_], convention: Convention
) -> list[Measure]:
    counts = np.stack([first & second, first & ~second, ~first & second, ~first & ~second], axis=-1).astype(np.float64)
    scopes = [(condition.value, counts[:, at]) for at, condition in enumerate(conditions)]
    scopes.append((POOLED, counts.sum(axis=1)))
    return [
        Measure(_presence_score(facts, scope, each, convention), each, formula)
        for scope, each in scopes
        for facts, formula in _STATISTICS
    ]


def _presence_score(facts: MetricFacts, scope: str, counts: Floats, convention: Convention) -> Score:
    both, student, teacher, neither = (int(count) for count in counts.sum(axis=0))
    note = f"present for both {both}, student only {student}, teacher only {teacher}, neither {neither}"
    if facts is KAPPA and not (student or teacher) and not (both and neither):
        note += "; undefined, since both sides say the same of every case"
    return Score(facts.name, scope, None, int(counts.sum()), facts.higher_is_better, convention=convention, note=note)


def _statement_measures(student: ConditionTable, teacher: ConditionTable) -> list[Measure]:
    said, heard = ~np.isnan(student.values), ~np.isnan(teacher.values)
    denied = (student.values == 0) != (teacher.values == 0)
    verdicts = np.stack([said & heard & ~denied, said & heard & denied, said & ~heard, ~said & heard], axis=-1)
    note = "of the conditions that either side speaks of; uncertain agrees with positive and contradicts negative"
    return _share_measures(student.conditions, verdicts.astype(np.float64), note)


def _share_measures(conditions: tuple[Condition, ...], verdicts: Floats, note: str) -> list[Measure]:
    """Return the shares of verdicts [n, K or more, 4]; columns beyond the conditions count as pooled only."""
    scopes = [(condition.value, verdicts[:, at]) for at, condition in enumerate(conditions)]
    scopes.append((POOLED, verdicts.sum(axis=1)))
    measures = []
    for scope, each in scopes:
        for at, facts in enumerate(_VERDICTS.values()):
            counts = np.stack([each[:, at], each.sum(axis=1)], axis=1)
            score = Score(facts.name, scope, None, int(each.sum()), facts.higher_is_better, note=note)
            measures.append(Measure(score, counts, ratio))
    contradicted = (verdicts[:, :, 1].sum(axis=1) > 0).astype(np.float64)
    score = Score(CONTRADICTED.name, CASES_CONTRADICTED, None, len(verdicts), higher_is_better=False, note=note)
    return [*measures, Measure(score, mean_of(contradicted), ratio)]


def _shares(counts: Floats) -> tuple[Floats, Floats]:
    both, first, second, _ = np.moveaxis(counts, -1, 0)
    cases = counts.sum(-1)
    return divide(both + first, cases), divide(both + second, cases)


def _beyond(observed: Floats, chance: Floats) -> Floats:
    return divide(observed - chance, 1 - chance)


_STATISTICS: tuple[tuple[MetricFacts, Callable[[Floats], Floats]], ...] = (
    (OBSERVED_AGREEMENT, observed_agreement),
    (KAPPA, cohen_kappa),
    (AC1, gwet_ac1),
    (PABAK, pabak),
)
