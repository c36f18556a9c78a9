"""The scores a classifier is given: their names, how each is built, over which conditions, and when it is undefined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import FIVE_CONDITIONS, Condition
from kdistill_core.evaluation.counting import Rate
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.ranking import auc_statistic, average_precision_statistic
from kdistill_core.evaluation.reliability import brier_statistic, calibration_error_statistic
from kdistill_core.evaluation.resampling import SumStatistic

AUC, AVERAGE_PRECISION, CALIBRATION_ERROR, BRIER = "AUC", "average precision", "expected calibration error", "Brier"
MICRO, MACRO, OVER_FIVE = "micro", "macro", " over 5"
LOWER_IS_BETTER = frozenset({CALIBRATION_ERROR, BRIER})

Values = NDArray[np.float64]
Columns = tuple[int, ...]
# From what was predicted and the labels, both [n] or [n, K], to the score.
Build = Callable[[NDArray[Any], Values], SumStatistic]

OF_RANKS: dict[str, Build] = {AUC: auc_statistic, AVERAGE_PRECISION: average_precision_statistic}
OF_PROBABILITIES: dict[str, Build] = {CALIBRATION_ERROR: calibration_error_statistic, BRIER: brier_statistic}

_NEEDS_POSITIVE = frozenset({AUC, AVERAGE_PRECISION, Rate.SENSITIVITY.value})
_NEEDS_NEGATIVE = frozenset({AUC, Rate.SPECIFICITY.value})
_NOTHING_CALLED = {
    Rate.PPV.value: "nothing is called present",
    Rate.NPV.value: "nothing is called absent",
    Rate.F1.value: "nothing is present and nothing is called present",
}


def families_of(conditions: tuple[Condition, ...]) -> dict[str, Columns]:
    """Return the columns that micro and macro scores are over, by what the names of these scores end in.

    All of them, and the five of Irvin et al. (AAAI 2019) where they are among others.
    """
    families = {"": tuple(range(len(conditions)))}
    if set(FIVE_CONDITIONS) < set(conditions):
        families[OVER_FIVE] = tuple(conditions.index(condition) for condition in FIVE_CONDITIONS)
    return families


@dataclass(frozen=True, eq=False)
class Called:
    """What is called present, bool [n, K], and the labels to hold it against: NaN where there is no threshold."""

    calls: NDArray[np.bool_]
    labels: Values


def call(labels: ConditionTable, probabilities: ConditionTable, thresholds: Mapping[Condition, float]) -> Called:
    """Call every condition present from its threshold on; both tables are of the same cases and columns."""
    at = np.array([thresholds.get(condition, np.nan) for condition in probabilities.conditions], dtype=np.float64)
    return Called(probabilities.values >= at, np.where(np.isnan(at), np.nan, labels.values))


def in_order(values: Mapping[Condition, float], conditions: tuple[Condition, ...], what: str) -> Values:
    """Return the value of each condition, float64 [K]. Raises EvaluationError for one not given."""
    missing = [condition.value for condition in conditions if condition not in values]
    if missing:
        raise EvaluationError(f"No {what} is given of {', '.join(missing)}.", f"Give a {what} for every condition.")
    return np.array([values[condition] for condition in conditions], dtype=np.float64)


def why_undefined(metric: str, labels: Values) -> str:
    """Return in words why a score is not defined on ``labels`` of 1, 0 and NaN."""
    known, positive = int((~np.isnan(labels)).sum()), int(np.nansum(labels))
    if not known:
        return "not defined: no case is labeled"
    if not positive and metric in _NEEDS_POSITIVE:
        return f"not defined: none of {known} labels is positive"
    if positive == known and metric in _NEEDS_NEGATIVE:
        return f"not defined: none of {known} labels is negative"
    return f"not defined: {_NOTHING_CALLED[metric]}"
