"""Bootstrap intervals by patient: images of one patient are drawn or left out together.

A resample is how often each patient was drawn. Scores that are functions of sums over cases (AUC, F1, calibration
error) are computed for a block of resamples by one sparse product, see :class:`SumStatistic`; any other score by
:func:`bootstrap`, one resample at a time. Both draw the same patients for the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from kdistill_core.evaluation.errors import EvaluationError

Statistic = Callable[[NDArray[np.int64]], float]
Name = TypeVar("Name", bound=Hashable)

# Resamples computed at once, and the most float64 numbers that one array of them may hold (32 MB).
_BLOCK = 64
_LARGEST_ARRAY = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A score with its percentile bootstrap interval (Efron 1979).

    n: cases; groups: patients drawn from; level: coverage of [low, high]; resamples: draws whose score was defined.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int
    resamples: int
    level: float = 0.95


@dataclass(frozen=True, eq=False)
class SumStatistic:
    """A score that is a function of sums over cases.

    summands: sparse float64 [S, n], what each case adds to each of S sums. finish: from the sums float64 [S, B] of B
    weightings of the cases to their scores [B], NaN where a score is not defined.
    """

    summands: csr_array
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    @property
    def value(self) -> float:
        """The score of all cases, each counted once; NaN where it is not defined."""
        return float(self.weighted(np.ones((self.summands.shape[1], 1)))[0])

    def weighted(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores [B] of the cases weighted by each column of ``weights`` [n, B]."""
        return self.finish(self.summands @ weights)

    def by_group(self, members: csr_array) -> SumStatistic:
        """Return the same score as a function of weights of groups; members: [n, G], 1 where a case belongs."""
        return SumStatistic(csr_array(self.summands @ members), self.finish)


@dataclass(frozen=True, eq=False)
class Patients:
    """Which patient each case is of. index: int64 [n]; count: of patients, numbered in order of appearance."""

    index: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, groups: Sequence[str]) -> Patients:
        """Return the patients named ``groups``, one name a case. Raises EvaluationError for no case."""
        if not len(groups):
            raise EvaluationError("There is no case to score.", "Check the data folder and the split.")
        numbers = {name: number for number, name in enumerate(dict.fromkeys(groups))}
        return cls(np.array([numbers[name] for name in groups], dtype=np.int64), len(numbers))

    @property
    def members(self) -> csr_array:
        """Sparse [n, count], 1 where a case is of a patient."""
        cases = len(self.index)
        return csr_array((np.ones(cases), (np.arange(cases), self.index)), shape=(cases, self.count))


def resample(
    statistics: Mapping[Name, SumStatistic], groups: Sequence[str], resamples: int = 2000, seed: int = 0
) -> dict[Name, NDArray[np.float64]]:
    """Return every statistic of every resample, float64 [resamples], all over the same draws of patients.

    groups: the patient of each case. NaN where a statistic is not defined on a draw. Raises EvaluationError for no
    case.
    """
    patients = Patients.of(groups)
    members = patients.members
    by_patient = {name: statistic.by_group(members) for name, statistic in statistics.items()}
    widest = max([patients.count, *(statistic.summands.shape[0] for statistic in by_patient.values())])
    drawn = {name: np.empty(resamples) for name in statistics}
    start = 0
    for weights in draw_patients(patients.count, resamples, seed, block=block_size(widest)):
        stop = start + weights.shape[1]
        for name, statistic in by_patient.items():
            drawn[name][start:stop] = statistic.weighted(weights)
        start = stop
    return drawn


def block_size(widest: int) -> int:
    """Return how many resamples to compute at once when the longest array has ``widest`` numbers a resample."""
    return max(1, min(_BLOCK, _LARGEST_ARRAY // widest))


def draw_patients(count: int, resamples: int, seed: int, block: int = _BLOCK) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of ``count`` patients was drawn, float64 [count, B], for at most ``block`` resamples.

    The draws do not depend on the size of the blocks.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        chosen = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(chosen.ravel(), minlength=size * count).reshape(size, count)
        yield np.ascontiguousarray(times.T, dtype=np.float64)


def percentile_interval(
    value: float, drawn: NDArray[np.float64], n: int, groups: int, level: float = 0.95
) -> Interval | None:
    """Return the percentile interval of ``value`` from its resamples; None where no resample had a defined score."""
    defined = drawn[~np.isnan(drawn)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high), n, groups, int(defined.size), level)


def bootstrap(
    statistics: dict[str, Statistic], groups: Sequence[str], resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Return every statistic with its interval, all over the same draws, so that differences are paired.

    statistics: each from case indices int64 [m] to a score, NaN where undefined (such a draw is left out).
    groups: the patient of each case. Raises EvaluationError for no case, or a score undefined on the whole set.
    """
    patients = Patients.of(groups)
    order = np.argsort(patients.index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(patients.index))[:-1])
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(resamples):
        chosen = rng.integers(len(members), size=len(members))
        indices = np.concatenate([members[index] for index in chosen])
        for name, statistic in statistics.items():
            drawn[name].append(statistic(indices))
    everything = np.arange(len(groups))
    intervals = {}
    for name, statistic in statistics.items():
        value = statistic(everything)
        interval = percentile_interval(value, np.asarray(drawn[name]), len(groups), len(members), level)
        if np.isnan(value) or interval is None:
            raise EvaluationError(f"The score {name!r} is not defined on these {len(groups)} cases.", "Use more cases.")
        intervals[name] = interval
    return intervals
