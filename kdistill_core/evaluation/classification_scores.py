"""Every score of a classifier's probabilities, each with its n, interval and baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

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
    Build,
    Columns,
    Values,
    call,
    families_of,
    in_order,
    why_undefined,
)
from kdistill_core.evaluation.counting import Rate, rate_statistic
from kdistill_core.evaluation.label_policy import UncertainPolicy, scored_pair
from kdistill_core.evaluation.resampling import SumStatistic, percentile_interval, resample
from kdistill_core.evaluation.scores import Baseline, Score, Unit

TRAINING_PREVALENCE = "prevalence in training alone"
OWN_PREVALENCE = "prevalence of these cases alone"
ALL_CALLED = "every condition called present"

_RATES = frozenset(rate.value for rate in Rate)


def classification_scores(
    truth: ConditionTable,
    probabilities: ConditionTable,
    *,
    thresholds: Mapping[Condition, float] | None,
    prevalence: Mapping[Condition, float] | None,
    unit: Unit,
    resamples: int = 2000,
    seed: int = 0,
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE,
) -> tuple[Score, ...]:
    """Return the scores of every condition, of all pooled (micro) and averaged (macro), with intervals by patient.

    truth: labels. probabilities: calibrated, in [0, 1]; matched by name. thresholds: from which probability on a
    condition is called present, chosen on other cases; None leaves sensitivity, specificity, PPV, NPV and F1 out, and
    of a condition without one they are not defined.
    prevalence: of each condition in training, the blind baseline; None takes that of these very cases, which is harder
    to beat, and names it so. Where the five conditions of Irvin et al. are among others, micro and macro are given over
    these five as well.

    All scores are over the same resamples. A score that is not defined has the value None and a note that says what is
    missing. Macro scores average the conditions on which the score is defined and name those on which it is not; a
    resample on which one of the former is not defined is left out of the interval. Raises ConditionTableError and
    EvaluationError.
    """
    labels, given = scored_pair(truth, probabilities, uncertain)
    metrics = _without_threshold(labels, given, prevalence)
    if thresholds is not None:
        metrics += _at_thresholds(labels, given, thresholds)
    families = families_of(labels.conditions)
    measured = _measure(metrics, labels, list(families.values()), resamples, seed)
    writer = _Writer(labels, unit, uncertain, {} if thresholds is None else thresholds)
    scores = []
    for metric in metrics:
        each = {k: measured[metric.name, (k,)] for k in range(len(labels.conditions))}
        scores += [writer.of_condition(metric, k, each[k]) for k in each]
        for suffix, columns in families.items():
            scores.append(writer.pooled(metric, suffix, columns, measured[metric.name, columns]))
            scores.append(writer.averaged(metric, suffix, {k: each[k] for k in columns}))
    return tuple(scores)


@dataclass(frozen=True, eq=False)
class _Metric:
    """A score of columns of labels, what was predicted, and what the baseline predicts (None without one); [n, K]."""

    name: str
    build: Build
    labels: Values
    predicted: NDArray[Any]
    blind: NDArray[Any] | None = None
    blind_name: str = ""


@dataclass(frozen=True, eq=False)
class _Measured:
    """A score of the model and of the blind baseline, None without one, each with its resamples float64 [resamples].

    NaN where it is not defined.
    """

    value: float
    drawn: Values
    blind: float | None = None
    blind_drawn: Values | None = None


def _without_threshold(
    labels: ConditionTable, given: ConditionTable, prevalence: Mapping[Condition, float] | None
) -> list[_Metric]:
    if prevalence is None:
        known = (~np.isnan(labels.values)).sum(axis=0)
        # A condition without a label is scored nowhere, so what stands there does not matter.
        name, shares = OWN_PREVALENCE, np.nansum(labels.values, axis=0) / np.maximum(known, 1)
    else:
        name, shares = TRAINING_PREVALENCE, in_order(prevalence, labels.conditions, "prevalence in training")
    blind = np.tile(shares, (len(labels), 1))
    builders = OF_RANKS | OF_PROBABILITIES
    return [_Metric(metric, build, labels.values, given.values, blind, name) for metric, build in builders.items()]


def _at_thresholds(
    labels: ConditionTable, given: ConditionTable, thresholds: Mapping[Condition, float]
) -> list[_Metric]:
    called = call(labels, given, thresholds)
    everything = np.ones_like(called.calls)
    return [
        _Metric(
            rate.value,
            partial(rate_statistic, rate),
            called.labels,
            called.calls,
            everything if rate is Rate.F1 else None,
            ALL_CALLED,
        )
        for rate in Rate
    ]


def _measure(
    metrics: list[_Metric], labels: ConditionTable, families: list[Columns], resamples: int, seed: int
) -> dict[tuple[str, Columns], _Measured]:
    """Return every metric of every single column and of every family pooled, all over the same resamples."""
    statistics: dict[tuple[str, Columns, bool], SumStatistic] = {}
    for metric in metrics:
        for at in [*((k,) for k in range(len(labels.conditions))), *families]:
            truth = metric.labels[:, at]
            statistics[metric.name, at, False] = metric.build(metric.predicted[:, at], truth)
            if metric.blind is not None:
                statistics[metric.name, at, True] = metric.build(metric.blind[:, at], truth)
    drawn = resample(statistics, labels.groups, resamples, seed)
    measured = {}
    for name, at, is_blind in statistics:
        if not is_blind:
            model, blind = (name, at, False), (name, at, True)
            baseline = (statistics[blind].value, drawn[blind]) if blind in statistics else (None, None)
            measured[name, at] = _Measured(statistics[model].value, drawn[model], *baseline)
    return measured


def _mean(each: list[_Measured]) -> _Measured:
    if not each:
        return _Measured(float("nan"), np.array([]))
    value, drawn = float(np.mean([one.value for one in each])), np.mean([one.drawn for one in each], axis=0)
    blinds = [one.blind for one in each if one.blind is not None]
    blind_draws = [one.blind_drawn for one in each if one.blind_drawn is not None]
    if not blinds:
        return _Measured(value, drawn)
    return _Measured(value, drawn, float(np.mean(blinds)), np.mean(blind_draws, axis=0))


@dataclass(frozen=True, eq=False)
class _Writer:
    """Writes what was measured as scores that say what they are of."""

    labels: ConditionTable
    unit: Unit
    uncertain: UncertainPolicy
    thresholds: Mapping[Condition, float]

    def of_condition(self, metric: _Metric, column: int, measured: _Measured) -> Score:
        condition = self.labels.conditions[column]
        note = ""
        if metric.name in _RATES:
            threshold = self.thresholds.get(condition)
            note = "it has no threshold" if threshold is None else f"called present from {threshold:.4g} on"
        return self._score(metric, condition.value, (column,), measured, note)

    def pooled(self, metric: _Metric, suffix: str, columns: Columns, measured: _Measured) -> Score:
        known = ~np.isnan(metric.labels[:, columns])
        note = f"{int(known.sum())} labels of {int(known.any(axis=0).sum())} conditions pooled"
        return self._score(metric, MICRO + suffix, columns, measured, note)

    def averaged(self, metric: _Metric, suffix: str, each: Mapping[int, _Measured]) -> Score:
        """Return the mean over the conditions on which the score is defined."""
        used = tuple(k for k, measured in each.items() if not np.isnan(measured.value))
        left_out = [self.labels.conditions[k].value for k in each if k not in used]
        note = f"mean over {', '.join(self.labels.conditions[k].value for k in used)}" if used else ""
        if left_out:
            note += f"{'; ' if note else ''}not defined on {', '.join(left_out)}"
        return self._score(metric, MACRO + suffix, used, _mean([each[k] for k in used]), note)

    def _score(self, metric: _Metric, scope: str, columns: Columns, measured: _Measured, note: str) -> Score:
        values = metric.labels[:, columns]
        rows = np.flatnonzero((~np.isnan(values)).any(axis=1))
        n, patients = len(rows), len({self.labels.groups[row] for row in rows})
        defined = not np.isnan(measured.value)
        why = "" if defined else why_undefined(metric.name, values)
        return Score(
            metric=metric.name,
            scope=scope,
            value=measured.value if defined else None,
            n=n,
            higher_is_better=metric.name not in LOWER_IS_BETTER,
            interval=percentile_interval(measured.value, measured.drawn, n, patients) if defined else None,
            positive=int(np.nansum(values)),
            convention=self.uncertain.convention,
            unit=self.unit,
            baselines=_baselines(metric.blind_name, measured, n, patients) if defined else (),
            note="; ".join(part for part in (why, note, self.uncertain.note) if part),
        )


def _baselines(name: str, measured: _Measured, n: int, patients: int) -> tuple[Baseline, ...]:
    if measured.blind is None or measured.blind_drawn is None or np.isnan(measured.blind):
        return ()
    lead, lead_drawn = measured.value - measured.blind, measured.drawn - measured.blind_drawn
    own = percentile_interval(measured.blind, measured.blind_drawn, n, patients)
    return (Baseline(name, measured.blind, own, percentile_interval(lead, lead_drawn, n, patients)),)
