"""Intervals of scores that a repeated case would change, by leaving out each case once.

A bootstrap draws cases again, and a text drawn twice is not distinct: of scores that count different things its
resamples would all lie below the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from kdistill_core.evaluation.resampling import Interval

Floats = NDArray[np.float64]


def left_out(statistic: Callable[[Sequence[int]], float], cases: int) -> Floats:
    """Return the statistic without each of ``cases`` in turn, float64 [cases]; it takes the places of those left."""
    return np.array([statistic([place for place in range(cases) if place != out]) for out in range(cases)])


def jackknife_interval(value: float, without: Floats, level: float = 0.95) -> Interval | None:
    """Return value +- z standard errors (Efron and Tibshirani 1993, ch. 11); None for fewer than two cases.

    without: the value with each case left out, float64 [n]. ``resamples`` of the interval counts them.
    """
    n = len(without)
    if n < 2 or np.isnan(without).any():
        return None
    error = math.sqrt((n - 1) / n * float(np.square(without - without.mean()).sum()))
    reach = float(norm.ppf((1 + level) / 2)) * error
    return Interval(value, value - reach, value + reach, n, n, n, level)
