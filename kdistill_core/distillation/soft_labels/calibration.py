"""Log-odds from logits, calibrated on held-out labels: those of other folds."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

# An isotonic step may hold one class only; beyond these odds no few hundred reports can vouch for it.
_SUREST = 0.995
# scikit-learn's inverse penalty: weak, so that Platt's sigmoid is close to maximum likelihood and yet finite.
_INVERSE_PENALTY = 100.0


class CalibrationKind(StrEnum):
    """How logits become log-odds."""

    PLATT = "Platt"  # slope and intercept (Platt 1999)
    ISOTONIC = "isotonic"  # any rising step function (Zadrozny and Elkan, KDD 2002)


def calibrated_log_odds(
    logits: NDArray[np.float64],
    labels: NDArray[np.float64],
    folds: NDArray[np.int64],
    kind: CalibrationKind = CalibrationKind.PLATT,
) -> NDArray[np.float64]:
    """Return the log-odds [N] of ``labels`` given out-of-fold ``logits`` [N], each fold's fitted on the others' labels.

    labels: [N] of 1, 0 or NaN (unknown: not fitted on, yet given log-odds). A fold whose others lack a class is fitted
    on all labels.
    """
    fitted = np.empty(len(logits))
    known = ~np.isnan(labels)
    for fold in np.unique(folds):
        here = folds == fold
        others = known & ~here
        if len(np.unique(labels[others])) < 2:
            others = known
        fitted[here] = _fit(logits[others], labels[others], logits[here], kind)
    return fitted


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64], kind: CalibrationKind
) -> NDArray[np.float64]:
    if kind is CalibrationKind.ISOTONIC:
        steps = IsotonicRegression(y_min=1 - _SUREST, y_max=_SUREST, out_of_bounds="clip").fit(x, y)
        return np.asarray(logit(steps.predict(at)), dtype=np.float64)
    # One unit of scale, so that the penalty means the same whatever the logits' range.
    center, scale = float(x.mean()), float(x.std()) or 1.0
    sigmoid = LogisticRegression(C=_INVERSE_PENALTY).fit(((x - center) / scale)[:, None], y)
    slope = max(float(sigmoid.coef_[0, 0]), 0.0)
    return np.asarray(slope * (at - center) / scale + float(sigmoid.intercept_[0]), dtype=np.float64)
