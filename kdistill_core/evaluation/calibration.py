"""Probabilities that mean what they say: Platt's sigmoid and temperature, fitted on held-out cases."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit

from kdistill_core.condition_table import ConditionTable, align
from kdistill_core.conditions import Condition
from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.label_policy import UncertainPolicy, resolve_uncertain

# Keeps the slope of a condition with few positives near 1 and its offset finite.
_PENALTY = 0.5
# Temperatures beyond these say that the fit has failed: 0.05 makes every logit of 1 a certainty.
_LEAST_TEMPERATURE, _LARGEST_TEMPERATURE = 0.05, 20.0


class CalibrationMethod(StrEnum):
    """How logits become probabilities."""

    NONE = "none"  # sigmoid(logit)
    PLATT = "Platt"  # sigmoid(slope * logit + intercept), of each condition
    TEMPERATURE = "temperature"  # sigmoid(logit / temperature), one temperature for all conditions


@dataclass(frozen=True)
class ConditionCalibration:
    """probability = sigmoid(slope * logit + intercept) of one condition.

    n: labeled cases it was fitted on, None where that is not known.
    """

    condition: Condition
    slope: float
    intercept: float
    n: int | None


@dataclass(frozen=True)
class Calibration:
    """What turns a model's logits into probabilities.

    fitted_on: the data sets and their split, in words; empty where that is not known.
    """

    method: CalibrationMethod
    fitted_on: str
    conditions: tuple[ConditionCalibration, ...]

    def probabilities(self, logits: ConditionTable) -> ConditionTable:
        """Return the calibrated probabilities of ``logits``, matched by name. Raises ConditionTableError."""
        known = logits.select([one.condition for one in self.conditions])
        slopes = np.array([one.slope for one in self.conditions])
        intercepts = np.array([one.intercept for one in self.conditions])
        return ConditionTable(known.ids, known.conditions, expit(slopes * known.values + intercepts), known.groups)


def fit_calibration(
    logits: ConditionTable,
    truth: ConditionTable,
    method: CalibrationMethod,
    fitted_on: str,
    uncertain: UncertainPolicy = UncertainPolicy.IGNORE,
) -> Calibration:
    """Return the calibration that suits the labels of held-out cases, for every condition of ``logits``.

    truth: matched by name. Raises ConditionTableError, and EvaluationError for a value that is no label or a logit that
    is missing or infinite.
    """
    logits, truth = align(logits, resolve_uncertain(truth, uncertain))
    if not np.isfinite(logits.values).all():
        raise EvaluationError(
            f"{int((~np.isfinite(logits.values)).sum())} of {logits.values.size} logits are missing or infinite.",
            "Give a logit of every condition for every case.",
        )
    cases = (~np.isnan(truth.values)).sum(axis=0)
    lines = [(1.0, 0.0)] * len(logits.conditions)
    if method is CalibrationMethod.PLATT:
        lines = [fit_platt(logits.column(condition), truth.column(condition)) for condition in logits.conditions]
    if method is CalibrationMethod.TEMPERATURE:
        lines = [(1 / fit_temperature(logits.values, truth.values), 0.0)] * len(logits.conditions)
    fitted = zip(logits.conditions, lines, cases, strict=True)
    return Calibration(
        method, fitted_on, tuple(ConditionCalibration(condition, *line, int(n)) for condition, line, n in fitted)
    )


def fit_platt(logits: NDArray[np.floating], labels: NDArray[np.floating]) -> tuple[float, float]:
    """Return (slope, intercept) of the sigmoid that makes ``logits`` [n] calibrated probabilities of ``labels`` [n].

    labels: 1, 0 or NaN (left out). Maximum likelihood with a weak pull towards (1, 0) (Platt 1999, whose targets do the
    same); (1, 0) itself where only one class is there. The slope is never negative.
    """
    known = ~np.isnan(labels)
    x, y = logits[known].astype(np.float64), (labels[known] > 0.5).astype(np.float64)
    if y.min(initial=1.0) == y.max(initial=0.0):
        return 1.0, 0.0

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, intercept = parameters
        z = slope * x + intercept
        value = np.logaddexp(0, z).sum() - (y * z).sum() + _PENALTY * ((slope - 1) ** 2 + 0.01 * intercept**2)
        error = 1 / (1 + np.exp(-z)) - y
        gradient = np.array([error @ x + 2 * _PENALTY * (slope - 1), error.sum() + 0.02 * _PENALTY * intercept])
        return float(value), gradient

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.05, None), (None, None)])
    return float(found.x[0]), float(found.x[1])


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.floating]) -> float:
    """Return the temperature that makes sigmoid(logits / temperature) calibrated probabilities of ``labels``.

    logits, labels: [n], or [n, K] for one temperature of all conditions, which leaves every ranking as it was, pooled
    ones too; labels: 1, 0 or NaN (left out). Maximum likelihood (Guo et al., ICML 2017), within [0.05, 20]; 1 where
    only one class is there.
    """
    known = ~np.isnan(labels)
    x, y = logits[known].astype(np.float64), (labels[known] > 0.5).astype(np.float64)
    if y.min(initial=1.0) == y.max(initial=0.0):
        return 1.0

    def slope_of_loss(sharpness: float) -> float:
        return float((expit(sharpness * x) - y) @ x)

    # The loss is convex in 1 / temperature, so its slope changes sign at most once.
    least, largest = 1 / _LARGEST_TEMPERATURE, 1 / _LEAST_TEMPERATURE
    if slope_of_loss(least) >= 0:
        return _LARGEST_TEMPERATURE
    if slope_of_loss(largest) <= 0:
        return _LEAST_TEMPERATURE
    return 1 / float(brentq(slope_of_loss, least, largest, xtol=1e-14))
