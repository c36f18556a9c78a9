"""Many scores over the same draws: the same draws as the general bootstrap makes."""

from __future__ import annotations

import numpy as np
import pytest

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.measures import Measure, compute, draw, mean_of, ratio
from kdistill_core.evaluation.resampling import bootstrap, resample
from kdistill_core.evaluation.scores import Score

VALUES = np.array([1.0, 2.0, np.nan, 4.0, 8.0, 16.0])
GROUPS = ["a", "b", "a", "c", "c", "d"]


def mean(n: int = 5) -> Measure:
    return Measure(Score("mean", "all", None, n, note="of numbers"), mean_of(VALUES), ratio)


def test_cases_without_a_value_are_left_out_of_a_mean() -> None:
    assert mean().value == pytest.approx(np.nanmean(VALUES), abs=1e-12)


def test_draws_are_those_of_the_general_bootstrap() -> None:
    (ours,) = draw([mean()], GROUPS, 300, seed=5)
    assert ours == pytest.approx(resample({"mean": mean().statistic}, GROUPS, 300, seed=5)["mean"], abs=1e-12)
    slow = bootstrap({"mean": lambda rows: float(np.nanmean(VALUES[rows]))}, GROUPS, 300, seed=5)["mean"]
    (score,) = compute([mean()], GROUPS, 300, seed=5)
    assert score.interval is not None
    assert (score.interval.low, score.interval.high) == pytest.approx((slow.low, slow.high), abs=1e-9)
    assert score.interval.groups == 4


def test_a_score_that_is_not_defined_has_no_value_and_says_so() -> None:
    nothing = Measure(Score("mean", "all", None, 0, note="of nothing"), mean_of(np.full(6, np.nan)), ratio)
    assert compute([nothing], GROUPS, 10, seed=0)[0] == Score(
        "mean", "all", None, 0, note="of nothing; there is nothing to count"
    )


def test_draws_without_a_value_are_missing_from_the_count_of_resamples() -> None:
    rare = np.array([1.0, np.nan, np.nan, np.nan, np.nan, np.nan])
    (score,) = compute([Measure(Score("mean", "all", None, 1), mean_of(rare), ratio)], GROUPS, 400, seed=0)
    assert score.interval is not None
    # Patient a, of four, is in a draw of four with probability 1 - (3/4)^4 = .684.
    assert score.interval.resamples == pytest.approx(400 * 0.684, rel=0.1)


def test_no_case_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="no case"):
        compute([Measure(Score("mean", "all", None, 0), np.zeros((0, 2)), ratio)], [], 10, seed=0)
