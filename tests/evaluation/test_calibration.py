"""Platt's sigmoid and temperature against logistic regression, a grid search and what labels were drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kdistill_core.condition_table import ConditionTable
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.calibration import (
    Calibration,
    CalibrationMethod,
    fit_calibration,
    fit_platt,
    fit_temperature,
)
from kdistill_core.evaluation.classification import micro_auc
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy
from kdistill_core.evaluation.reliability import calibration_error_statistic
from kdistill_core.serialization import from_json, to_json

C = Condition
NAN = float("nan")


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


def overconfident(conditions: int = 1, n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Return logits three times too large, and labels."""
    rng = np.random.default_rng(2)
    truth = rng.normal(-1, 1.5, size=(n, conditions))
    return 3 * truth, (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(float)


def test_temperature_agrees_with_logistic_regression_without_an_intercept() -> None:
    logits, labels = overconfident()
    theirs = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-10).fit(logits, labels[:, 0])
    assert fit_temperature(logits, labels) == pytest.approx(1 / float(theirs.coef_[0, 0]), rel=1e-5)
    assert fit_temperature(logits, labels) == pytest.approx(3, abs=0.25)


def test_no_temperature_of_a_fine_grid_is_likelier() -> None:
    logits, labels = overconfident(3, 200)
    labels[::5] = NAN

    def loss(temperature: float) -> float:
        return float(np.nansum(np.logaddexp(0, logits / temperature) - labels * logits / temperature))

    grid = np.linspace(0.5, 10, 2000)
    best = grid[int(np.argmin([loss(temperature) for temperature in grid]))]
    assert fit_temperature(logits, labels) == pytest.approx(best, abs=grid[1] - grid[0])
    assert loss(fit_temperature(logits, labels)) <= loss(best)


def test_a_temperature_that_no_data_bound_stays_within_its_limits() -> None:
    apart, wrong = np.array([-2.0, 2.0]), np.array([1.0, 0.0])
    assert fit_temperature(apart, 1 - wrong) == 0.05
    assert fit_temperature(apart, wrong) == 20.0
    assert fit_temperature(apart, np.array([1.0, NAN])) == 1.0


def tables() -> tuple[ConditionTable, ConditionTable]:
    logits, labels = overconfident(2)
    ids = tuple(str(case) for case in range(len(logits)))
    given = ConditionTable(ids, (C.EDEMA, C.FRACTURE), logits)
    # Columns and cases in another order.
    return given, ConditionTable(ids, given.conditions, labels).select((C.FRACTURE, C.EDEMA)).rows(ids[::-1])


@pytest.mark.parametrize("method", [CalibrationMethod.PLATT, CalibrationMethod.TEMPERATURE])
def test_calibration_lowers_the_calibration_error(method: CalibrationMethod) -> None:
    logits, truth = tables()
    labels = truth.select(logits.conditions).rows(logits.ids).values
    errors = {
        one: calibration_error_statistic(
            fit_calibration(logits, truth, one, "made up").probabilities(logits).values, labels
        ).value
        for one in (CalibrationMethod.NONE, method)
    }
    assert errors[CalibrationMethod.NONE] > 0.1
    assert errors[method] < 0.03


def test_one_temperature_leaves_pooled_rankings_as_they_were() -> None:
    logits, truth = tables()
    labels = truth.select(logits.conditions).rows(logits.ids).values
    calibration = fit_calibration(logits, truth, CalibrationMethod.TEMPERATURE, "made up")
    assert micro_auc(calibration.probabilities(logits).values, labels) == pytest.approx(
        micro_auc(logits.values, labels)
    )


def test_the_record_says_what_it_was_fitted_on() -> None:
    logits, truth = tables()
    truth.values[:10, 0] = NAN
    truth.values[10:30, 0] = -1
    calibration = fit_calibration(logits, truth, CalibrationMethod.PLATT, "made up, validation")
    assert [(one.condition, one.n) for one in calibration.conditions] == [(C.EDEMA, 1500), (C.FRACTURE, 1470)]
    slope, intercept = fit_platt(logits.column(C.EDEMA), truth.rows(logits.ids).column(C.EDEMA))
    assert (calibration.conditions[0].slope, calibration.conditions[0].intercept) == (slope, intercept)
    counted = fit_calibration(logits, truth, CalibrationMethod.PLATT, "made up", UncertainPolicy.ONES)
    assert counted.conditions[1].n == 1490
    assert from_json(to_json(calibration), Calibration) == calibration


def test_logits_that_are_missing_are_refused() -> None:
    logits, truth = tables()
    logits.values[3, 1] = NAN
    with pytest.raises(EvaluationError, match="1 of 3000 logits"):
        fit_calibration(logits, truth, CalibrationMethod.PLATT, "made up")
