"""Whether two models differ on the same cases: paired bootstrap and approximate randomization, by patient.

The bootstrap says how large the difference is on other patients like these (Efron and Tibshirani 1993, chapter 13).
Approximate randomization asks how often a difference as large would come about if it did not matter which model said
what: it swaps what the two said of a patient, for each patient with the toss of a coin (Noreen 1989; Yeh, COLING 2000).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.resampling import (
    Interval,
    Name,
    Patients,
    SumStatistic,
    block_size,
    draw_patients,
    percentile_interval,
)
from kdistill_core.evaluation.scores import Convention

Values = NDArray[np.float64]

# Differences that only rounding parts are as large as one another.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """A score of one model minus that of another, on the same cases.

    first, second, value: None where a score is not defined; ``note`` then says why. interval: of ``value``, by patient.
    bootstrap_p, randomization_p: two-sided. n: cases.
    """

    metric: str
    scope: str
    first: float | None
    second: float | None
    value: float | None
    n: int
    higher_is_better: bool = True
    interval: Interval | None = None
    bootstrap_p: float | None = None
    randomization_p: float | None = None
    convention: Convention | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Pair:
    """One score of two models as functions of the same sums over the same cases, so that cases can be swapped.

    Counts and means are so by themselves; rankings become so by
    :func:`kdistill_core.evaluation.ranking.paired_ranking`.
    Raises EvaluationError where the two are not of as many sums and cases.
    """

    first: SumStatistic
    second: SumStatistic

    def __post_init__(self) -> None:
        if self.first.summands.shape != self.second.summands.shape:
            raise EvaluationError(
                "Two scores that are not functions of the same sums cannot be tested against each other.",
                "Build both alike, on the same cases; rankings with `paired_ranking`.",
            )

    def swapped(self, swaps: Values) -> Values:
        """Return the differences [B] after each column of ``swaps`` [n, B], 1 where a case's outputs are exchanged."""
        moved = self._apart @ swaps
        return self.first.finish(self._sums[0] + moved) - self.first.finish(self._sums[1] - moved)

    @cached_property
    def _apart(self) -> csr_array:
        return csr_array(self.second.summands - self.first.summands)

    @cached_property
    def _sums(self) -> tuple[Values, Values]:
        once = np.ones((self.first.summands.shape[1], 1))
        return self.first.summands @ once, self.second.summands @ once


@dataclass(frozen=True, eq=False)
class PairedDraws:
    """Both models' score, and the difference of each resample and of each random swap, float64 [resamples]."""

    first: float
    second: float
    resampled: Values
    swapped: Values

    @property
    def difference(self) -> float:
        """The first's score minus the second's; NaN where one is not defined."""
        return self.first - self.second

    def interval(self, n: int, groups: int, level: float = 0.95) -> Interval | None:
        """Return the percentile interval of the difference; None where no resample had one."""
        return percentile_interval(self.difference, self.resampled, n, groups, level)

    @property
    def bootstrap_p(self) -> float:
        """Twice the share of resamples on the far side of 0: below 0.05 about where the 95 % interval leaves 0 out."""
        drawn = self.resampled[~np.isnan(self.resampled)]
        fewer = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
        return float(min(1.0, 2 * (fewer + 1) / (len(drawn) + 1)))

    @property
    def randomization_p(self) -> float:
        """The share of swaps with a difference as large as the one observed, which is among them."""
        drawn = self.swapped[~np.isnan(self.swapped)]
        return float(np.mean(np.abs(drawn) >= abs(self.difference) - _ROUNDING))


def compare_pairs(
    pairs: Mapping[Name, Pair], groups: Sequence[str], resamples: int = 2000, seed: int = 0
) -> dict[Name, PairedDraws]:
    """Return the draws of every pair, all over the same resamples and the same swaps of patients.

    groups: the patient of each case. With few patients (2 ** patients <= resamples) every swap there is is made, once,
    which makes the test exact; else the observed assignment and ``resamples`` random ones. Raises EvaluationError for
    no case.
    """
    patients = Patients.of(groups)
    members = patients.members
    by_patient = {
        name: Pair(pair.first.by_group(members), pair.second.by_group(members)) for name, pair in pairs.items()
    }
    widest = max([patients.count, *(pair.first.summands.shape[0] for pair in by_patient.values())])
    block = block_size(widest)
    resampled: dict[Name, list[Values]] = {name: [] for name in pairs}
    swapped: dict[Name, list[Values]] = {name: [] for name in pairs}
    for weights in draw_patients(patients.count, resamples, seed, block):
        for name, pair in by_patient.items():
            resampled[name].append(pair.first.weighted(weights) - pair.second.weighted(weights))
    for swaps in _draw_swaps(patients.count, resamples, seed, block):
        for name, pair in by_patient.items():
            swapped[name].append(pair.swapped(swaps))
    return {
        name: PairedDraws(
            pair.first.value, pair.second.value, np.concatenate(resampled[name]), np.concatenate(swapped[name])
        )
        for name, pair in pairs.items()
    }


def mean_of_pairs(each: Sequence[PairedDraws]) -> PairedDraws:
    """Return the draws of the mean over several scores (macro), which have to be of the same resamples and swaps.

    Of no score, the mean is NaN.
    """
    if not each:
        return PairedDraws(float("nan"), float("nan"), np.array([]), np.array([]))
    return PairedDraws(
        float(np.mean([one.first for one in each])),
        float(np.mean([one.second for one in each])),
        np.mean([one.resampled for one in each], axis=0),
        np.mean([one.swapped for one in each], axis=0),
    )


def _draw_swaps(count: int, resamples: int, seed: int, block: int) -> Iterator[Values]:
    """Yield whose outputs are swapped, float64 [count, B] of 0 and 1; the first column swaps nobody."""
    if count < resamples.bit_length():
        every = np.arange(2**count)
        for start in range(0, len(every), block):
            yield ((every[start : start + block] >> np.arange(count)[:, None]) & 1).astype(np.float64)
        return
    # A stream of its own: the swaps must not follow the draws of the bootstrap.
    rng = np.random.default_rng([seed, 1])
    yield np.zeros((count, 1))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield np.ascontiguousarray(rng.integers(0, 2, (size, count)).T, dtype=np.float64)
