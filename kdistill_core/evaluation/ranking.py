"""How well scores rank positive above negative: AUC and average precision, as functions of sums over cases.

The cases are sorted once, from the highest score down. Only places where a positive stands matter: what is needed of
each is how much weight of negatives stands above it and is tied with it, which are sums over the cases. Higher is
better throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata

from kdistill_core.evaluation.comparison import Pair
from kdistill_core.evaluation.resampling import SumStatistic

Sums = NDArray[np.float64]


def auc_statistic(scores: NDArray[np.floating], labels: NDArray[np.floating]) -> SumStatistic:
    """Return the area under the ROC curve: the chance that a positive outscores a negative, ties half.

    scores, labels: [n], or [n, K] to pool all conditions (micro); labels are 1, 0 or NaN (left out). NaN where the
    weight of one class is 0. Equals scikit-learn's ``roc_auc_score`` with case weights.
    """
    return SumStatistic(_ranked(scores, labels), _auc)


def average_precision_statistic(scores: NDArray[np.floating], labels: NDArray[np.floating]) -> SumStatistic:
    """Return the precision averaged over the recall gained at each score, without interpolation.

    Arguments as of :func:`auc_statistic`. NaN where there is no positive. Equals scikit-learn's
    ``average_precision_score`` with case weights.
    """
    return SumStatistic(_ranked(scores, labels), _average_precision)


def paired_ranking(
    build: Callable[[NDArray[Any], NDArray[np.float64]], SumStatistic],
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    labels: NDArray[np.float64],
) -> Pair:
    """Return ``build``'s score of two models on the same labels, as functions of the same sums.

    build: :func:`auc_statistic` or :func:`average_precision_statistic`. first, second, labels: of one shape. Each
    model's scores are replaced by their ranks, on which alone these scores depend: otherwise swapping the scores of
    two models of different scale would spoil both rankings (Bandos et al., Statistics in Medicine 2005).
    """
    known = ~np.isnan(labels)
    ranks = np.zeros((2, *labels.shape))
    ranks[0][known], ranks[1][known] = rankdata(first[known]), rankdata(second[known])
    both = build(ranks.reshape(-1, *labels.shape[1:]), np.concatenate([labels, labels]))
    cases = len(labels)
    return Pair(
        SumStatistic(csr_array(both.summands[:, :cases]), both.finish),
        SumStatistic(csr_array(both.summands[:, cases:]), both.finish),
    )


def _ranked(scores: NDArray[np.floating], labels: NDArray[np.floating]) -> csr_array:
    """Return the summands [3 P + 1, n], where P scores are a positive's.

    P rows of positives by score, P of the negatives tied with them, P + 1 of the negatives above each and below all.
    """
    cases = len(labels)
    case = np.broadcast_to(np.arange(cases).reshape(-1, *[1] * (labels.ndim - 1)), labels.shape)
    known = ~np.isnan(labels)
    case, score, positive = case[known], scores[known], labels[known] > 0.5
    of_positives = np.unique(-score[positive])
    count = len(of_positives)
    place = np.searchsorted(of_positives, -score)
    tied = np.zeros(len(score), dtype=bool)
    within = place < count
    tied[within] = of_positives[place[within]] == -score[within]
    row = np.where(positive, place, np.where(tied, count + place, 2 * count + place))
    return csr_array((np.ones(len(row)), (row, case)), shape=(3 * count + 1, cases))


def _parts(sums: Sums) -> tuple[Sums, Sums, Sums]:
    """Return the weight of positives of each score, of negatives tied with them and of negatives above, [P, B]."""
    count = sums.shape[0] // 3
    positives, tied, between = sums[:count], sums[count : 2 * count], sums[2 * count :]
    above = np.cumsum(between[:-1] + tied, axis=0) - tied
    return positives, tied, above


def _auc(sums: Sums) -> Sums:
    positives, tied, above = _parts(sums)
    count = len(positives)
    positive, negative = positives.sum(axis=0), sums[count:].sum(axis=0)
    outscored = (positives * (negative - above - tied / 2)).sum(axis=0)
    return _ratio(outscored, positive * negative)


def _average_precision(sums: Sums) -> Sums:
    positives, tied, above = _parts(sums)
    found = np.cumsum(positives, axis=0)
    precision = np.divide(found, found + above + tied, out=np.zeros_like(found), where=found > 0)
    return _ratio((positives * precision).sum(axis=0), positives.sum(axis=0))


def _ratio(part: Sums, whole: Sums) -> Sums:
    ratio: Sums = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return ratio
