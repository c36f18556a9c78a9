"""What calls get right and wrong, counted; the scores of those counts, each as sums over cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.resampling import SumStatistic

Sums = NDArray[np.float64]


class Rate(StrEnum):
    """A score of the four counts; higher is better."""

    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PPV = "PPV"
    NPV = "NPV"
    F1 = "F1"


@dataclass(frozen=True)
class Confusion:
    """How often a condition was called and present, over the cases whose label is known."""

    condition: Condition
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


def confusion(truth: ConditionTable, calls: ConditionTable) -> tuple[Confusion, ...]:
    """Return the counts of every condition of ``truth``, matched to ``calls`` by name.

    truth: labels of 1, 0 or NaN (left out), see :func:`kdistill_core.evaluation.label_policy.resolve_uncertain`.
    calls: 1 where a condition is called present, else 0. Raises ConditionTableError for a case or condition without a
    call.
    """
    truth, calls = align(truth, calls)
    counted = []
    for condition in truth.conditions:
        outcomes = _outcomes(calls.column(condition) > 0.5, truth.column(condition))
        counted.append(Confusion(condition, *(int(outcome.sum()) for outcome in outcomes)))
    return tuple(counted)


def rate_statistic(rate: Rate, calls: NDArray[np.bool_], labels: NDArray[np.floating]) -> SumStatistic:
    """Return a rate of calls; calls, labels: [n], or [n, K] to pool all conditions (micro).

    labels: 1, 0 or NaN (left out). NaN where nothing is divided by: sensitivity without a positive, F1 where nothing
    is present or called.
    """
    outcomes = _outcomes(calls, labels)
    per_case = np.stack([outcome.reshape(len(labels), -1).sum(axis=1) for outcome in outcomes])
    return SumStatistic(csr_array(per_case.astype(np.float64)), _RATES[rate])


def _outcomes(
    calls: NDArray[np.bool_], labels: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    present, absent = labels > 0.5, labels <= 0.5  # NaN is neither
    return calls & present, calls & absent, ~calls & present, ~calls & absent


def _share(part: Sums, rest: Sums) -> Sums:
    whole = part + rest
    share: Sums = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return share


# Of the sums of true positives, false positives, false negatives and true negatives, in that order.
_RATES: dict[Rate, Callable[[Sums], Sums]] = {
    Rate.SENSITIVITY: lambda sums: _share(sums[0], sums[2]),
    Rate.SPECIFICITY: lambda sums: _share(sums[3], sums[1]),
    Rate.PPV: lambda sums: _share(sums[0], sums[1]),
    Rate.NPV: lambda sums: _share(sums[3], sums[2]),
    Rate.F1: lambda sums: _share(2 * sums[0], sums[1] + sums[2]),
}
