"""Scores before they are computed, so that many are computed over the same resamples of patients at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from kdistill_core.evaluation.resampling import (
    Interval,
    Patients,
    SumStatistic,
    block_size,
    draw_patients,
    percentile_interval,
)
from kdistill_core.evaluation.scores import Baseline, Convention, Score

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CaseValues:
    """A column of the table of cases. values: float64 [n], NaN where a case has none."""

    name: str
    values: Floats


@dataclass(frozen=True, eq=False)
class Measure:
    """A score that follows from sums over cases: counts, means, n-gram statistics.

    score: everything but its value and interval. contributions: float64 [n, S], what each case adds; measures that
    share the array share its sums. formula: from sums float64 [..., S] to values float64 [...], NaN where undefined.
    cases: the value of every case, where there is one.
    """

    score: Score
    contributions: Floats
    formula: Callable[[Floats], Floats]
    cases: CaseValues | None = None

    @property
    def value(self) -> float:
        """The score of all cases; NaN where it is not defined."""
        return float(self.formula(self.contributions.sum(axis=0)))

    @property
    def statistic(self) -> SumStatistic:
        """The same score as :mod:`kdistill_core.evaluation.resampling` takes it, for tests of one against another."""
        return SumStatistic(csr_array(self.contributions.T), lambda sums: self.formula(sums.T))


def compute(
    measures: Sequence[Measure],
    groups: Sequence[str],
    resamples: int,
    seed: int,
    baselines: Mapping[str, Sequence[Measure]] | None = None,
) -> tuple[Score, ...]:
    """Return every score with its value, its percentile interval and its baselines.

    groups: the patient of each case. baselines: by name, measures of something else on the same cases; a score is
    compared, over the same draws, with those of its metric, scope and convention. Draws in which a score is undefined
    are left out of its interval, whose ``resamples`` counts the rest. Raises EvaluationError for no case.
    """
    others = [(name, measure) for name, same in (baselines or {}).items() for measure in same]
    drawn = draw([*measures, *(measure for _, measure in others)], groups, resamples, seed)
    patients = len(set(groups))

    def interval(value: float, values: Floats) -> Interval | None:
        return percentile_interval(value, values, len(groups), patients)

    same_as: defaultdict[_Key, list[tuple[str, float, Floats]]] = defaultdict(list)
    for (name, other), values in zip(others, drawn[len(measures) :], strict=True):
        if not np.isnan(other.value):
            same_as[_key(other)].append((name, other.value, values))
    scores = []
    for measure, own in zip(measures, drawn[: len(measures)], strict=True):
        value = measure.value
        if np.isnan(value):
            reason = "; there is nothing to count" if measure.score.n == 0 else "; not defined on these cases"
            scores.append(replace(measure.score, note=measure.score.note + reason))
            continue
        compared = [
            Baseline(name, other, interval(other, values), interval(value - other, own - values))
            for name, other, values in same_as[_key(measure)]
        ]
        scores.append(replace(measure.score, value=value, interval=interval(value, own), baselines=tuple(compared)))
    return tuple(scores)


def draw(measures: Sequence[Measure], groups: Sequence[str], resamples: int, seed: int) -> list[Floats]:
    """Return the value of every measure in every resample, float64 [resamples], NaN where it is undefined.

    All over the same draws, and over the same as those of :func:`kdistill_core.evaluation.resampling.resample` with
    this seed. Raises EvaluationError for no case.
    """
    patients = Patients.of(groups)
    if not measures:
        return []
    table, columns = _side_by_side([measure.contributions for measure in measures])
    by_patient = patients.members.T @ table
    block = block_size(max(by_patient.shape))
    sums = [weights.T @ by_patient for weights in draw_patients(patients.count, resamples, seed, block=block)]
    drawn = np.concatenate(sums) if sums else np.empty((0, table.shape[1]))
    return [measure.formula(drawn[:, columns[id(measure.contributions)]]) for measure in measures]


def mean_over_cases(score: Score, values: Floats, column: str) -> Measure:
    """Return the mean of float64 [n] over the cases that have a value (not NaN), which stand in ``column`` as well."""
    return Measure(score, mean_of(values), ratio, CaseValues(column, values))


def mean_of(values: Floats) -> Floats:
    """Return the contributions float64 [n, 2] whose :func:`ratio` is the mean of ``values`` [n]; NaN is left out."""
    known = ~np.isnan(values)
    return np.stack([np.where(known, values, 0.0), known.astype(np.float64)], axis=1)


def ratio(sums: Floats) -> Floats:
    """Return sums[..., 0] / sums[..., 1], NaN where the latter is 0."""
    return divide(sums[..., 0], sums[..., 1])


def divide(over: Floats, under: Floats) -> Floats:
    """Return ``over / under``, NaN where ``under`` is 0."""
    result = np.full(np.broadcast_shapes(np.shape(over), np.shape(under)), np.nan)
    np.divide(over, under, out=result, where=under != 0)
    return result


_Key = tuple[str, str, Convention | None]


def _key(measure: Measure) -> _Key:
    return measure.score.metric, measure.score.scope, measure.score.convention


def _side_by_side(blocks: Sequence[Floats]) -> tuple[Floats, dict[int, slice]]:
    """Return all blocks as one matrix, each once, and where the block of each ``id`` stands in it."""
    once = {id(block): block for block in blocks}
    columns, start = {}, 0
    for key, block in once.items():
        columns[key] = slice(start, start + block.shape[1])
        start += block.shape[1]
    return np.concatenate(list(once.values()), axis=1), columns
