"""How well scores tell positive from negative; blank labels are left out. Higher is better throughout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Scores = NDArray[np.floating]
Labels = NDArray[np.floating]


def auc(scores: Scores, labels: Labels) -> float:
    """Return the area under the ROC curve: the chance that a positive outscores a negative, ties half.

    scores: [n]; labels: [n] of 1, 0 or NaN (blank). By ranks (Hanley and McNeil, Radiology 1982); NaN where one of the
    two classes is missing.
    """
    known = ~np.isnan(labels)
    positive = labels[known] > 0.5
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    ranks = rankdata(scores[known])
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def micro_auc(scores: Scores, labels: Labels) -> float:
    """Return the AUC over all known labels of all conditions pooled; scores, labels: [n, K]."""
    return auc(scores.ravel(), labels.ravel())


def macro_auc(scores: Scores, labels: Labels) -> float:
    """Return the mean AUC of the conditions that have both classes; scores, labels: [n, K]."""
    each = [auc(scores[:, index], labels[:, index]) for index in range(labels.shape[1])]
    defined = [value for value in each if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def prevalence_scores(positive: Sequence[int], known: Sequence[int], cases: int) -> NDArray[np.float64]:
    """Return [cases, K], every case scored with each condition's share of positives in training: the blind baseline.

    positive, known: of the training labels, per condition. A condition that training never labels scores 0.
    """
    share = np.asarray(positive) / np.maximum(np.asarray(known), 1)
    return np.tile(share, (cases, 1))


def best_threshold(probabilities: Scores, labels: Labels) -> float:
    """Return the probability in (0, 1) from which on calling cases positive gives the best F1; 0.5 without positives.

    probabilities, labels: [n]. Halfway between neighboring probabilities, so that no case lies on it.
    """
    known = ~np.isnan(labels)
    chances, truth = probabilities[known], labels[known] > 0.5
    if not truth.any():
        return 0.5
    order = np.argsort(-chances, kind="stable")
    ranked, hits = chances[order], np.cumsum(truth[order])
    called = np.arange(1, len(ranked) + 1)
    scores = 2 * hits / (called + truth.sum())
    # A threshold cannot part cases of equal probability.
    parts = np.append(ranked[:-1] > ranked[1:], True)
    best = int(np.argmax(np.where(parts, scores, -1.0)))
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float(np.clip((ranked[best] + below) / 2, 1e-4, 1 - 1e-4))
