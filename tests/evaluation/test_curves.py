"""Points of curves, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from kdistill_core.evaluation.curves import pr_curve_points, roc_curve_points

NAN = float("nan")


def made() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = (rng.random(200) < 0.3).astype(float)
    scores = np.round(rng.normal(size=200) + labels, 1)
    labels[::9] = NAN
    return scores, labels


def test_the_roc_curve_is_scikit_learns() -> None:
    scores, labels = made()
    known = ~np.isnan(labels)
    curve = roc_curve_points(scores, labels)
    assert curve is not None
    rates, sensitivities, thresholds = roc_curve(labels[known], scores[known], drop_intermediate=False)
    assert curve.false_positive_rate == pytest.approx(rates)
    assert curve.sensitivity == pytest.approx(sensitivities)
    assert curve.thresholds == pytest.approx(thresholds)
    area = np.trapezoid(curve.sensitivity, curve.false_positive_rate)
    assert area == pytest.approx(roc_auc_score(labels[known], scores[known]))


def test_the_precision_recall_curve_is_scikit_learns() -> None:
    scores, labels = made()
    known = ~np.isnan(labels)
    curve = pr_curve_points(scores, labels)
    assert curve is not None
    precision, recall, thresholds = precision_recall_curve(labels[known], scores[known])
    # Theirs begins with the lowest threshold and ends with a point at recall 0 that no threshold gives.
    assert curve.precision == pytest.approx(precision[:-1][::-1])
    assert curve.recall == pytest.approx(recall[:-1][::-1])
    assert curve.thresholds == pytest.approx(thresholds[::-1])
    assert curve.prevalence == pytest.approx(labels[known].mean())


def test_without_a_class_there_is_no_curve() -> None:
    assert roc_curve_points(np.array([0.1, 0.2]), np.array([1.0, NAN])) is None
    assert pr_curve_points(np.array([0.1, 0.2]), np.array([0.0, NAN])) is None
    assert roc_curve_points(np.array([0.1]), np.array([NAN])) is None
