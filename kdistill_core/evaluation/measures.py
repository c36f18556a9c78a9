"""Scores before they are computed, so that many are computed over the same resamples of patients at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from kdistill_core.evaluation.resampling import Patients, SumStatistic, block_size, draw_patients, percentile_interval
from kdistill_core.evaluation.scores import Score

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measure:
    """A score that follows from sums over cases: counts, means, n-gram statistics.

    score: everything but its value and interval. contributions: float64 [n, S], what each case adds; measures that
    share the array share its sums. formula: from sums float64 [..., S] to values float64 [...], NaN where undefined.
    """

    score: Score
    contributions: Floats
    formula: Callable[[Floats], Floats]

    @property
    def value(self) -> float:
        """The score of all cases; NaN where it is not defined."""
        return float(self.formula(self.contributions.sum(axis=0)))

    @property
    def statistic(self) -> SumStatistic:
        """The same score as :mod:`kdistill_core.evaluation.resampling` takes it, for tests of one against another."""
        return SumStatistic(csr_array(self.contributions.T), lambda sums: self.formula(sums.T))


@dataclass(frozen=True, eq=False)
class CaseMeasure:
    """A measure that has a value for every case too: float64 [n], NaN where a case has none."""

    measure: Measure
    cases: Floats


def compute(measures: Sequence[Measure], groups: Sequence[str], resamples: int, seed: int) -> tuple[Score, ...]:
    """Return every score with its value and percentile interval.

    groups: the patient of each case. Draws in which a score is undefined are left out of its interval, whose
    ``resamples`` counts the rest. Raises EvaluationError for no case.
    """
    drawn = draw(measures, groups, resamples, seed)
    patients = len(set(groups))
    scores = []
    for measure, values in zip(measures, drawn, strict=True):
        value = measure.value
        if np.isnan(value):
            scores.append(measure.score)
            continue
        interval = percentile_interval(value, values, len(groups), patients)
        scores.append(replace(measure.score, value=value, interval=interval))
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


def _side_by_side(blocks: Sequence[Floats]) -> tuple[Floats, dict[int, slice]]:
    """Return all blocks as one matrix, each once, and where the block of each ``id`` stands in it."""
    once = {id(block): block for block in blocks}
    columns, start = {}, 0
    for key, block in once.items():
        columns[key] = slice(start, start + block.shape[1])
        start += block.shape[1]
    return np.concatenate(list(once.values()), axis=1), columns
