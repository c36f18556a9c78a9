"""Two classifiers on the same cases, score by score: differences with intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.classification_metrics import (
    LOWER_IS_BETTER,
    MACRO,
    MICRO,
    OF_PROBABILITIES,
    OF_RANKS,
    Columns,
    Values,
    call,
    families_of,
    why_undefined,
)
from kdistill_core.evaluation.comparison import Difference, Pair, PairedDraws, compare_pairs, mean_of_pairs
from kdistill_core.evaluation.counting import Rate, rate_statistic
from kdistill_core.evaluation.label_policy import UncertainPolicy, scored_pair
from kdistill_core.evaluation.ranking import paired_ranking


@dataclass(frozen=True, eq=False)
class Classifier:
    """What one model says of the cases: calibrated probabilities, and from which on it calls a condition present."""

    probabilities: ConditionTable
    thresholds: Mapping[Condition, float] | None = None


def compare_classifiers(
    truth: ConditionTable,
    first: Classifier,
    second: Classifier,
    *,
    resamples: int = 2000,
    seed: int = 0,
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE,
) -> tuple[Difference, ...]:
    """Return each score of ``first`` minus that of ``second`` on the same cases, with its interval and p-values.

    The scores are those of :func:`kdistill_core.evaluation.classification_scores.classification_scores`; those of calls
    are there where both have thresholds. All are over the same resamples and the same swaps of patients. p-values are
    not corrected for the number of scores. Raises ConditionTableError and EvaluationError.
    """
    labels, one = scored_pair(truth, first.probabilities, uncertain)
    _, other = scored_pair(truth, second.probabilities, uncertain)
    families = families_of(labels.conditions)
    scopes = [*((k,) for k in range(len(labels.conditions))), *families.values()]
    pairs = _of_probabilities(labels, one, other, scopes)
    judged = dict.fromkeys(OF_RANKS | OF_PROBABILITIES, labels.values)
    if first.thresholds is not None and second.thresholds is not None:
        called, other_called = call(labels, one, first.thresholds), call(labels, other, second.thresholds)
        both = np.where(np.isnan(other_called.labels), np.nan, called.labels)  # known where both have a threshold
        pairs |= _of_calls(both, called.calls, other_called.calls, scopes)
        judged |= dict.fromkeys([rate.value for rate in Rate], both)
    drawn = compare_pairs(pairs, labels.groups, resamples, seed)
    writer = _Writer(labels, uncertain)
    differences = []
    for metric, values in judged.items():
        each = {k: drawn[metric, (k,)] for k in range(len(labels.conditions))}
        differences += [writer.write(metric, labels.conditions[k].value, values[:, [k]], each[k]) for k in each]
        for suffix, at in families.items():
            differences.append(writer.write(metric, MICRO + suffix, values[:, at], drawn[metric, at]))
            used = [k for k in at if not np.isnan(each[k].difference)]
            mean = mean_of_pairs([each[k] for k in used])
            differences.append(writer.write(metric, MACRO + suffix, values[:, used], mean))
    return tuple(differences)


def _of_probabilities(
    labels: ConditionTable, first: ConditionTable, second: ConditionTable, scopes: list[Columns]
) -> dict[tuple[str, Columns], Pair]:
    pairs: dict[tuple[str, Columns], Pair] = {}
    for at in scopes:
        known, one, other = labels.values[:, at], first.values[:, at], second.values[:, at]
        pairs |= {(metric, at): paired_ranking(build, one, other, known) for metric, build in OF_RANKS.items()}
        pairs |= {
            (metric, at): Pair(build(one, known), build(other, known)) for metric, build in OF_PROBABILITIES.items()
        }
    return pairs


def _of_calls(
    labels: Values, first: NDArray[np.bool_], second: NDArray[np.bool_], scopes: list[Columns]
) -> dict[tuple[str, Columns], Pair]:
    return {
        (rate.value, at): Pair(
            rate_statistic(rate, first[:, at], labels[:, at]),
            rate_statistic(rate, second[:, at], labels[:, at]),
        )
        for rate in Rate
        for at in scopes
    }


@dataclass(frozen=True, eq=False)
class _Writer:
    """Writes draws as differences that say what they are of."""

    labels: ConditionTable
    uncertain: UncertainPolicy

    def write(self, metric: str, scope: str, values: Values, draws: PairedDraws) -> Difference:
        """Return the difference of one score; values: the labels it is held against, [n, K]."""
        rows = np.flatnonzero((~np.isnan(values)).any(axis=1))
        defined = not np.isnan(draws.difference)
        return Difference(
            metric=metric,
            scope=scope,
            first=None if np.isnan(draws.first) else draws.first,
            second=None if np.isnan(draws.second) else draws.second,
            value=draws.difference if defined else None,
            n=len(rows),
            higher_is_better=metric not in LOWER_IS_BETTER,
            interval=draws.interval(len(rows), len({self.labels.groups[row] for row in rows})) if defined else None,
            bootstrap_p=draws.bootstrap_p if defined else None,
            randomization_p=draws.randomization_p if defined else None,
            convention=self.uncertain.convention,
            note="" if defined else why_undefined(metric, values),
        )
