"""The points of ROC and precision-recall curves, for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RocCurve:
    """False positive rate and sensitivity, float64 [P], of calling positive from ``thresholds`` [P] on.

    From (0, 0) at an infinite threshold to (1, 1).
    """

    false_positive_rate: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """Precision and recall, float64 [P], of calling positive from ``thresholds`` [P] on, the highest threshold first.

    prevalence: the precision of calling everything positive.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    prevalence: float


def roc_curve_points(scores: NDArray[np.floating], labels: NDArray[np.floating]) -> RocCurve | None:
    """Return the ROC curve, a point a distinct score; None where a class is missing.

    scores, labels: [n], or [n, K] to pool all conditions; labels: 1, 0 or NaN (left out).
    """
    thresholds, hits, alarms = called_by_threshold(scores, labels)
    if not len(hits) or not hits[-1] or not alarms[-1]:
        return None
    return RocCurve(
        np.concatenate([[0.0], alarms / alarms[-1]]),
        np.concatenate([[0.0], hits / hits[-1]]),
        np.concatenate([[np.inf], thresholds]),
    )


def pr_curve_points(scores: NDArray[np.floating], labels: NDArray[np.floating]) -> PrecisionRecallCurve | None:
    """Return the precision-recall curve, a point a distinct score; None without a positive. Arguments as above."""
    thresholds, hits, alarms = called_by_threshold(scores, labels)
    if not len(hits) or not hits[-1]:
        return None
    called = hits + alarms
    return PrecisionRecallCurve(hits / called, hits / hits[-1], thresholds, float(hits[-1] / called[-1]))


def called_by_threshold(
    scores: NDArray[np.floating], labels: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct scores from the highest down, and how many positives and negatives score that or more."""
    known = ~np.isnan(labels)
    score, positive = scores[known].astype(np.float64), labels[known] > 0.5
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(positive[order])
    last = np.flatnonzero(np.append(score[:-1] != score[1:], True)) if len(score) else np.array([], dtype=np.int64)
    return score[last], hits[last], last + 1 - hits[last]
