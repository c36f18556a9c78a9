"""AUC and thresholds against scikit-learn and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from kdistill_core.evaluation.classification import (
    auc,
    best_threshold,
    macro_auc,
    micro_auc,
    prevalence_scores,
)

NAN = float("nan")


def test_auc_agrees_with_scikit_learn_ties_included() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 300).astype(float)
    scores = np.round(rng.normal(size=300) + labels, 1)
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_blank_labels_do_not_count() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.7])
    assert auc(scores, np.array([1.0, 0.0, NAN, 0.0])) == 1.0


def test_auc_of_one_class_alone_is_not_defined() -> None:
    assert np.isnan(auc(np.array([0.2, 0.4]), np.array([1.0, NAN])))


def test_micro_pools_and_macro_averages() -> None:
    labels = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, NAN]])
    scores = np.array([[0.9, 0.1, 0.2], [0.8, 0.3, 0.4], [0.1, 0.2, 0.3]])
    known = ~np.isnan(labels)
    assert micro_auc(scores, labels) == pytest.approx(roc_auc_score(labels[known], scores[known]))
    by_condition = [roc_auc_score(labels[:, k], scores[:, k]) for k in (0, 1)]  # the third has no positive
    assert macro_auc(scores, labels) == pytest.approx(np.mean(by_condition))


def test_prevalence_alone_scores_half_per_condition_but_more_when_pooled() -> None:
    labels = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    scores = prevalence_scores([3, 1], [4, 4], len(labels))
    assert scores[0].tolist() == [0.75, 0.25]
    assert macro_auc(scores, labels) == 0.5
    assert micro_auc(scores, labels) == pytest.approx(0.75)


def test_the_best_threshold_gives_the_best_f1_of_all() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(200) < 0.2).astype(float)
    chances = np.round(np.clip(0.3 * labels + rng.random(200) * 0.7, 0, 1), 2)
    everywhere = [f1_score(labels, chances >= cut, zero_division=0) for cut in np.linspace(0, 1, 2001)]
    at = best_threshold(chances, labels)
    assert f1_score(labels, chances >= at) == pytest.approx(max(everywhere))


def test_a_condition_without_positives_keeps_one_half() -> None:
    assert best_threshold(np.array([0.1, 0.9]), np.array([0.0, NAN])) == 0.5
