"""Platt's sigmoid recovers the sigmoid that labels were drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kdistill_core.evaluation.calibration import fit_platt


def test_overconfident_logits_are_brought_back() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-truth))).astype(float)
    slope, intercept = fit_platt(3 * truth + 1, labels)
    assert slope == pytest.approx(1 / 3, abs=0.03)
    assert intercept == pytest.approx(-1 / 3, abs=0.08)


def test_it_agrees_with_logistic_regression_on_many_cases() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=3000)
    labels = (rng.random(3000) < 1 / (1 + np.exp(-(2 * logits - 0.5)))).astype(float)
    theirs = LogisticRegression(C=1e6).fit(logits[:, None], labels)
    slope, intercept = fit_platt(logits, labels)
    assert slope == pytest.approx(float(theirs.coef_[0, 0]), abs=0.02)
    assert intercept == pytest.approx(float(theirs.intercept_[0]), abs=0.02)


def test_one_class_alone_changes_nothing() -> None:
    assert fit_platt(np.array([0.1, 2.0]), np.array([1.0, float("nan")])) == (1.0, 0.0)


def test_a_score_that_points_the_wrong_way_is_flattened_and_never_turned_round() -> None:
    slope, _ = fit_platt(np.linspace(-3, 3, 200), (np.linspace(-3, 3, 200) < 0).astype(float))
    assert 0 < slope < 0.1
