"""AUC and average precision of weighted cases, against scikit-learn, torchmetrics and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from kdistill_core.evaluation.classification import auc
from kdistill_core.evaluation.ranking import auc_statistic, average_precision_statistic

NAN = float("nan")


def tied_cases(seed: int, n: int = 400) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(float)
    return np.round(rng.normal(size=n) + labels, 1), labels


def test_four_cases_by_hand() -> None:
    # The positives 0.8 and 0.4 stand against 0.6 and 0.4: two wins, a loss and a tie.
    scores, labels = np.array([0.8, 0.6, 0.4, 0.4]), np.array([1.0, 0.0, 1.0, 0.0])
    assert auc_statistic(scores, labels).value == 2.5 / 4
    # Half the recall at precision 1, the other half where 2 of 4 are right.
    assert average_precision_statistic(scores, labels).value == 0.5 * 1 + 0.5 * 2 / 4


def test_a_case_of_weight_three_counts_as_three_cases() -> None:
    scores, labels = np.array([0.8, 0.6, 0.4]), np.array([1.0, 0.0, 1.0])
    weights = np.array([[1.0], [1.0], [3.0]])
    assert auc_statistic(scores, labels).weighted(weights)[0] == pytest.approx(1 / 4, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_scores_agree_with_scikit_learn_ties_included(seed: int) -> None:
    scores, labels = tied_cases(seed)
    weights = np.random.default_rng(seed + 100).integers(0, 4, (len(labels), 20)).astype(float)
    ours, precisions = (
        build(scores, labels).weighted(weights) for build in (auc_statistic, average_precision_statistic)
    )
    for column in range(weights.shape[1]):
        # Cases of weight 0 are left out for scikit-learn, whose curves would keep their scores as points.
        at = weights[:, column] > 0
        known = labels[at], scores[at]
        assert ours[column] == pytest.approx(roc_auc_score(*known, sample_weight=weights[at, column]), abs=1e-12)
        theirs = average_precision_score(*known, sample_weight=weights[at, column])
        assert precisions[column] == pytest.approx(theirs, abs=1e-12)


def test_scores_agree_with_torchmetrics(torch_in_float64: None) -> None:
    scores, labels = tied_cases(7)
    chances = 1 / (1 + np.exp(-scores))
    theirs = torch.from_numpy(chances), torch.from_numpy(labels.astype(int))
    assert auc_statistic(chances, labels).value == pytest.approx(float(binary_auroc(*theirs)), abs=1e-12)
    precision = float(binary_average_precision(*theirs))
    assert average_precision_statistic(chances, labels).value == pytest.approx(precision, abs=1e-12)


def test_conditions_pooled_agree_with_scikit_learn_micro_average() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random((150, 5)) < [0.1, 0.2, 0.3, 0.4, 0.5]).astype(float)
    scores = np.round(rng.normal(size=labels.shape) + labels, 1)
    assert auc_statistic(scores, labels).value == pytest.approx(roc_auc_score(labels, scores, average="micro"))
    labels[rng.random(labels.shape) < 0.3] = NAN
    known = ~np.isnan(labels)
    assert auc_statistic(scores, labels).value == pytest.approx(roc_auc_score(labels[known], scores[known]), abs=1e-12)
    pooled = average_precision_score(labels[known], scores[known])
    assert average_precision_statistic(scores, labels).value == pytest.approx(pooled, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 1.0, NAN])), min_size=1, max_size=30))
def test_it_is_the_share_of_pairs_won(cases: list[tuple[int, float]]) -> None:
    scores, labels = np.array([float(s) for s, _ in cases]), np.array([label for _, label in cases])
    positive, negative = scores[labels == 1], scores[labels == 0]
    area = auc_statistic(scores, labels).value
    assert area == pytest.approx(auc(scores, labels), nan_ok=True)
    if len(positive) and len(negative):
        won = [(p > q) + (p == q) / 2 for p in positive for q in negative]
        assert area == pytest.approx(np.mean(won))
    else:
        assert np.isnan(area)


def test_a_class_that_no_resample_weight_is_on_leaves_the_score_undefined() -> None:
    statistic = auc_statistic(np.array([0.1, 0.9]), np.array([0.0, 1.0]))
    assert statistic.weighted(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])).tolist() == pytest.approx(
        [NAN, NAN, 1.0], nan_ok=True
    )
    precision = average_precision_statistic(np.array([0.1, 0.9]), np.array([0.0, NAN]))
    assert np.isnan(precision.value)
