"""Probabilities that mean what they say: Platt's sigmoid, fitted per condition on held-out cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

# Keeps the slope of a condition with few positives near 1 and its offset finite.
_PENALTY = 0.5


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
