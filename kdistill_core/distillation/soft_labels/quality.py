"""How well out-of-fold logits tell what is asserted from what is denied, with a bootstrap interval by patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVEL = 0.95
_BLOCK = 64  # resamples at once


@dataclass(frozen=True)
class Quality:
    """The area under the ROC curve with its percentile interval. positives, negatives: cases."""

    auc: float
    low: float
    high: float
    positives: int
    negatives: int


def ranking_quality(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    groups: NDArray[np.int64],
    resamples: int = 500,
    seed: int = 0,
) -> Quality:
    """Return how ``scores`` [N] rank labels [N] of 1, 0 or NaN (left out); both classes must occur.

    groups: int64 [N], the patient of each case, by which cases are drawn together.
    """
    known = ~np.isnan(labels)
    order = np.argsort(scores[known], kind="stable")
    value, positive = scores[known][order], (labels[known] == 1)[order]
    patient = np.unique(groups[known], return_inverse=True)[1][order]
    begins = np.flatnonzero(np.r_[True, np.diff(value) > 0])
    count = int(patient.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for start in range(0, resamples, _BLOCK):
        block = min(_BLOCK, resamples - start)
        chosen = rng.integers(count, size=(block, count)) + count * np.arange(block)[:, None]
        times = np.bincount(chosen.ravel(), minlength=block * count).reshape(block, count)
        drawn[start : start + block] = _auc(positive, begins, times[:, patient])
    low, high = np.nanquantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    whole = float(_auc(positive, begins, np.ones((1, len(value))))[0])
    return Quality(whole, float(low), float(high), int(positive.sum()), int((~positive).sum()))


def _auc(
    positive: NDArray[np.bool_], begins: NDArray[np.int64], weights: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted chance [B] that a positive outranks a negative, ties half; NaN where a class has no weight.

    positive: bool [n], by rising score. begins: where each new score begins. weights: [B, n].
    """
    ups = np.add.reduceat((weights * positive).astype(np.float64), begins, axis=1)
    downs = np.add.reduceat((weights * ~positive).astype(np.float64), begins, axis=1)
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    won = (ups * (np.cumsum(downs, axis=1) - downs / 2)).sum(axis=1)
    return np.asarray(np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
