"""One model tested against another: enumerated swaps, SciPy's permutation test, p-values where nothing differs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import kstest, permutation_test, rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from kdistill_core.evaluation.classification import auc
from kdistill_core.evaluation.comparison import Pair, compare_pairs, mean_of_pairs
from kdistill_core.evaluation.counting import Rate, rate_statistic
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.ranking import auc_statistic, average_precision_statistic, paired_ranking
from kdistill_core.evaluation.resampling import SumStatistic


def mean_statistic(values: NDArray[np.float64]) -> SumStatistic:
    return SumStatistic(csr_array(np.stack([values, np.ones_like(values)])), lambda sums: sums[0] / sums[1])


def f1_by_hand(labels: NDArray[np.float64], calls: NDArray[np.bool_]) -> float:
    return float(2 * (calls * labels).sum() / (calls.sum() + labels.sum()))


def auc_by_hand(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    gaps = scores[labels == 1][:, None] - scores[labels == 0]
    return float(((gaps > 0) + (gaps == 0) / 2).mean())


def named(count: int) -> list[str]:
    return [str(case) for case in range(count)]


def test_eight_swaps_by_hand() -> None:
    # 1, 2 and 3 better: only all signs alike are as far from 0, 2 of 8 ways.
    pair = Pair(mean_statistic(np.array([1.0, 2.0, 3.0])), mean_statistic(np.zeros(3)))
    drawn = compare_pairs({"mean": pair}, named(3), 100)["mean"]
    assert drawn.difference == 2.0
    assert sorted(drawn.swapped) == pytest.approx([-2, -4 / 3, -2 / 3, 0, 0, 2 / 3, 4 / 3, 2])
    assert drawn.randomization_p == 2 / 8


def test_every_swap_of_patients_is_made_once_when_there_are_few() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0], dtype=float)
    first, second = rng.random(12) < 0.2 + 0.6 * labels, rng.random(12) < 0.5
    patients = np.repeat(np.arange(6), 2)
    expected = []
    for swaps in product([False, True], repeat=6):
        swap = np.array(swaps)[patients]
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        expected.append(f1_by_hand(labels, one) - f1_by_hand(labels, other))
    pair = Pair(rate_statistic(Rate.F1, first, labels), rate_statistic(Rate.F1, second, labels))
    drawn = compare_pairs({"F1": pair}, [str(patient) for patient in patients], 64)["F1"]
    assert sorted(drawn.swapped) == pytest.approx(sorted(expected))
    assert drawn.randomization_p == np.mean(np.abs(expected) >= abs(expected[0]) - 1e-12)


def test_the_exact_test_of_two_aucs_is_scipys() -> None:
    rng = np.random.default_rng(1)
    labels = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    first, second = np.round(rng.normal(size=8) + labels, 1), 100 * np.round(rng.normal(size=8), 1)

    def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return auc_by_hand(labels, one) - auc_by_hand(labels, other)

    theirs = permutation_test(
        (rankdata(first), rankdata(second)), difference, permutation_type="samples", n_resamples=np.inf
    )
    drawn = compare_pairs({"AUC": paired_ranking(auc_statistic, first, second, labels)}, named(8), 256)["AUC"]
    assert drawn.difference == pytest.approx(theirs.statistic)
    assert sorted(drawn.swapped) == pytest.approx(sorted(theirs.null_distribution))
    assert drawn.randomization_p == pytest.approx(theirs.pvalue)


def test_random_swaps_come_near_to_all_of_them() -> None:
    values = np.random.default_rng(2).normal(0.35, 1, size=12)
    pair = {"mean": Pair(mean_statistic(values), mean_statistic(np.zeros(12)))}
    exact = compare_pairs(pair, named(12), 2**12)["mean"]
    random = compare_pairs(pair, named(12), 2**12 - 1)["mean"]
    assert len(exact.swapped) == len(random.swapped) == 2**12
    assert random.randomization_p == pytest.approx(exact.randomization_p, abs=0.03)


@pytest.mark.parametrize("build", [auc_statistic, average_precision_statistic])
def test_a_pair_of_rankings_keeps_each_models_score(build: object) -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random((60, 3)) < 0.3).astype(float)
    labels[rng.random(labels.shape) < 0.2] = float("nan")
    first, second = np.round(rng.normal(size=(2, 60, 3)), 1)
    theirs = roc_auc_score if build is auc_statistic else average_precision_score
    pair = paired_ranking(build, first, 1000 + second, labels)  # type: ignore[arg-type]
    known = ~np.isnan(labels)
    assert pair.first.value == pytest.approx(theirs(labels[known], first[known]), abs=1e-12)
    assert pair.second.value == pytest.approx(theirs(labels[known], second[known]), abs=1e-12)


def test_another_scale_of_one_models_scores_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.random(50) < 0.4).astype(float)
    first, second = rng.normal(size=50) + labels, rng.normal(size=50)
    pairs = {
        "same": paired_ranking(auc_statistic, first, second, labels),
        "other": paired_ranking(auc_statistic, np.exp(first) + 40, second, labels),
    }
    drawn = compare_pairs(pairs, named(50), 300)
    assert drawn["same"].swapped == pytest.approx(drawn["other"].swapped)
    assert drawn["same"].resampled == pytest.approx(drawn["other"].resampled)


@pytest.fixture(scope="module")
def without_a_difference() -> dict[str, NDArray[np.float64]]:
    """p-values, float64 [200], of pairs of models that are equally good by construction."""
    rng = np.random.default_rng(5)
    found: dict[str, list[float]] = {"AUC randomization": [], "F1 randomization": [], "mean bootstrap": []}
    for number in range(200):
        labels = (np.arange(40) % 3 == 0).astype(float)
        first, second = rng.normal(size=(2, 40)) + labels
        pairs = {
            "AUC": paired_ranking(auc_statistic, first, second, labels),
            "F1": Pair(rate_statistic(Rate.F1, first > 0.5, labels), rate_statistic(Rate.F1, second > 0.5, labels)),
            "mean": Pair(mean_statistic(first), mean_statistic(second)),
        }
        drawn = compare_pairs(pairs, named(40), 99, seed=number)
        found["AUC randomization"].append(drawn["AUC"].randomization_p)
        found["F1 randomization"].append(drawn["F1"].randomization_p)
        found["mean bootstrap"].append(drawn["mean"].bootstrap_p)
    return {name: np.array(values) for name, values in found.items()}


def test_p_values_are_uniform_where_nothing_differs(without_a_difference: dict[str, NDArray[np.float64]]) -> None:
    assert kstest(without_a_difference["AUC randomization"], "uniform").pvalue > 0.01
    assert kstest(without_a_difference["mean bootstrap"], "uniform").pvalue > 0.01


def test_tests_reject_as_often_as_they_say(without_a_difference: dict[str, NDArray[np.float64]]) -> None:
    # 200 tests at 0.05: 10 expected, standard deviation 3. F1 moves in steps, so ties make its test careful.
    for name, values in without_a_difference.items():
        assert np.count_nonzero(values <= 0.05) <= 18, name
    assert np.count_nonzero(without_a_difference["AUC randomization"] <= 0.05) >= 2


def test_a_difference_that_is_there_is_found() -> None:
    rng = np.random.default_rng(6)
    labels = (rng.random(300) < 0.3).astype(float)
    first, second = rng.normal(size=300) + 2 * labels, rng.normal(size=300) + labels
    drawn = compare_pairs({"AUC": paired_ranking(auc_statistic, first, second, labels)}, named(300), 500)["AUC"]
    assert drawn.difference == pytest.approx(auc(first, labels) - auc(second, labels))
    assert drawn.randomization_p == pytest.approx(1 / 501)
    assert drawn.bootstrap_p == pytest.approx(2 / 501)
    interval = drawn.interval(300, 300)
    assert interval is not None
    assert 0 < interval.low < drawn.difference < interval.high


def test_a_model_does_not_differ_from_itself() -> None:
    values = np.random.default_rng(7).normal(size=30)
    drawn = compare_pairs({"mean": Pair(mean_statistic(values), mean_statistic(values))}, named(30), 100)["mean"]
    assert (drawn.difference, drawn.bootstrap_p, drawn.randomization_p) == (0.0, 1.0, 1.0)


def test_macro_is_the_mean_over_the_same_draws() -> None:
    first, second = np.random.default_rng(8).normal(size=(2, 30))
    pairs = {
        "first": Pair(mean_statistic(first), mean_statistic(np.zeros(30))),
        "second": Pair(mean_statistic(second), mean_statistic(np.zeros(30))),
        "both": Pair(mean_statistic((first + second) / 2), mean_statistic(np.zeros(30))),
    }
    drawn = compare_pairs(pairs, named(30), 100)
    macro = mean_of_pairs([drawn["first"], drawn["second"]])
    assert macro.difference == pytest.approx(drawn["both"].difference)
    assert macro.resampled == pytest.approx(drawn["both"].resampled)
    assert macro.swapped == pytest.approx(drawn["both"].swapped)


def test_scores_of_different_sums_or_cases_are_refused() -> None:
    with pytest.raises(EvaluationError, match="not functions of the same sums"):
        Pair(mean_statistic(np.zeros(3)), mean_statistic(np.zeros(4)))
    scores, labels = np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.0, 1.0])
    with pytest.raises(EvaluationError, match="paired_ranking"):
        Pair(auc_statistic(scores, labels), mean_statistic(scores))
    with pytest.raises(EvaluationError, match="no case"):
        compare_pairs({}, [])
