"""Several seeds pooled, against closed forms of crossed factors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.ranking import auc_statistic
from kdistill_core.evaluation.resampling import SumStatistic, percentile_interval, resample
from kdistill_core.evaluation.seeds import pool_seeds


def mean_statistic(values: NDArray[np.float64]) -> SumStatistic:
    return SumStatistic(csr_array(np.stack([values, np.ones_like(values)])), lambda sums: sums[0] / sums[1])


def named(count: int) -> list[str]:
    return [str(case) for case in range(count)]


def test_the_interval_covers_seeds_and_cases() -> None:
    rng = np.random.default_rng(0)
    of_seed, of_case = rng.normal(size=6), rng.normal(0, 3, size=50)
    pooled = pool_seeds([mean_statistic(shift + of_case) for shift in of_seed], named(50), 4000)
    assert pooled.mean == pytest.approx(of_seed.mean() + of_case.mean())
    assert pooled.each == pytest.approx(of_seed + of_case.mean())
    assert pooled.deviation == pytest.approx(of_seed.std(ddof=1))
    assert pooled.interval is not None
    # Both factors are drawn with replacement, independently, so the variances of their means add up.
    half = 1.96 * np.sqrt(of_seed.var() / 6 + of_case.var() / 50)
    assert (pooled.interval.high - pooled.interval.low) / 2 == pytest.approx(half, rel=0.06)


def test_more_seeds_do_not_make_the_cases_surer() -> None:
    # Seeds that agree in every case: the cases alone decide, however many seeds there are.
    values = np.random.default_rng(1).normal(size=40)
    one, many = (pool_seeds([mean_statistic(values)] * count, named(40), 500) for count in (1, 8))
    assert one.interval is not None
    assert many.interval is not None
    assert (many.interval.low, many.interval.high) == pytest.approx((one.interval.low, one.interval.high))
    drawn = resample({"mean": mean_statistic(values)}, named(40), 500)["mean"]
    assert one.interval == percentile_interval(one.mean, drawn, 40, 40)
    assert (one.deviation, many.deviation) == (None, 0.0)


def test_aucs_of_seeds_are_averaged() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(80) < 0.4).astype(float)
    statistics = [auc_statistic(rng.normal(size=80) + labels, labels) for _ in range(3)]
    pooled = pool_seeds(statistics, [str(case // 2) for case in range(80)], 200)
    assert pooled.mean == pytest.approx(np.mean([statistic.value for statistic in statistics]))
    assert pooled.interval is not None
    assert (pooled.interval.n, pooled.interval.groups, pooled.interval.resamples) == (80, 40, 200)
    assert pooled.interval.low < pooled.mean < pooled.interval.high


def test_what_cannot_be_pooled_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no seed"):
        pool_seeds([], named(3))
    with pytest.raises(EvaluationError, match="same cases"):
        pool_seeds([mean_statistic(np.zeros(3)), mean_statistic(np.zeros(4))], named(3))
    with pytest.raises(EvaluationError, match="not defined"):
        pool_seeds([auc_statistic(np.zeros(2), np.ones(2))], named(2))
