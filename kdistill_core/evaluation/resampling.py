"""Bootstrap intervals by patient: images of one patient are drawn or left out together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.evaluation.errors import EvaluationError

Statistic = Callable[[NDArray[np.int64]], float]


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


def bootstrap(
    statistics: dict[str, Statistic], groups: Sequence[str], resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Return every statistic with its interval, all over the same draws, so that differences are paired.

    statistics: each from case indices int64 [m] to a score, NaN where undefined (such a draw is left out).
    groups: the patient of each case. Raises EvaluationError for no case, or a score undefined on the whole set.
    """
    members = _members(groups)
    if not members:
        raise EvaluationError("There is no case to score.", "Check the data folder and the split.")
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(resamples):
        chosen = rng.integers(len(members), size=len(members))
        indices = np.concatenate([members[index] for index in chosen])
        for name, statistic in statistics.items():
            drawn[name].append(statistic(indices))
    everything = np.arange(len(groups))
    return {
        name: _interval(name, statistic(everything), np.asarray(drawn[name]), len(groups), len(members), level)
        for name, statistic in statistics.items()
    }


def _members(groups: Sequence[str]) -> list[NDArray[np.int64]]:
    by_group: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        by_group.setdefault(group, []).append(index)
    return [np.asarray(indices, dtype=np.int64) for indices in by_group.values()]


def _interval(name: str, value: float, drawn: NDArray[np.float64], n: int, groups: int, level: float) -> Interval:
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not defined.size:
        raise EvaluationError(f"The score {name!r} is not defined on these {n} cases.", "Use more cases.")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high), n, groups, int(defined.size), level)
