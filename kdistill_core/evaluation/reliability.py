"""Whether probabilities mean what they say: reliability curve, expected calibration error, Brier score.

Lower is better for both scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from kdistill_core.evaluation.resampling import SumStatistic

BINS = 15  # as in Guo et al., ICML 2017

Sums = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Cases by their probability, for a reliability curve.

    edges: float64 [B + 1], from 0 to 1; a bin holds its lower edge and not its upper one, the last holds both. count:
    int64 [B], of labels. mean_probability, share_positive: float64 [B], NaN in an empty bin.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    mean_probability: NDArray[np.float64]
    share_positive: NDArray[np.float64]


def equal_width_edges(bins: int = BINS) -> NDArray[np.float64]:
    """Return the edges [bins + 1] of bins of equal width."""
    return np.linspace(0.0, 1.0, bins + 1)


def equal_mass_edges(probabilities: NDArray[np.floating], bins: int = BINS) -> NDArray[np.float64]:
    """Return the edges of at most ``bins`` bins that hold about as many cases each; for rare conditions.

    Fewer bins where many probabilities are equal.
    """
    inner = np.quantile(probabilities.ravel(), np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(np.concatenate([[0.0], inner, [1.0]]).astype(np.float64))


def reliability_bins(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], edges: NDArray[np.float64] | None = None
) -> ReliabilityBins:
    """Return the reliability curve of probabilities in [0, 1]; labels: 1, 0 or NaN (left out).

    probabilities, labels: [n], or [n, K] to pool all conditions. edges: by default of 15 bins of equal width.
    """
    edges = equal_width_edges() if edges is None else edges
    known = ~np.isnan(labels)
    place = _bin_of(probabilities[known], edges)
    bins = len(edges) - 1
    count = np.bincount(place, minlength=bins)
    said = np.bincount(place, probabilities[known], minlength=bins)
    present = np.bincount(place, labels[known], minlength=bins)
    empty = np.where(count > 0, count, np.nan)
    return ReliabilityBins(edges, count.astype(np.int64), said / empty, present / empty)


def calibration_error_statistic(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], edges: NDArray[np.float64] | None = None
) -> SumStatistic:
    """Return the expected calibration error: the mean gap of a case's bin between probability and share of positives.

    Arguments as of :func:`reliability_bins`. NaN without a known label. The error of few cases, and so of resamples,
    is larger than that of many, even of perfectly calibrated probabilities (Nixon et al., CVPR workshops 2019).
    """
    edges = equal_width_edges() if edges is None else edges
    known = ~np.isnan(labels)
    case, said = _cases(labels)[known], probabilities[known].astype(np.float64)
    bins, cases = len(edges) - 1, len(labels)
    gaps = csr_array((labels[known] - said, (_bin_of(said, edges), case)), shape=(bins, cases))
    return SumStatistic(csr_array(vstack([gaps, _counts(labels)])), _mean_absolute)


def brier_statistic(probabilities: NDArray[np.floating], labels: NDArray[np.floating]) -> SumStatistic:
    """Return the mean squared distance of probability from label (Brier 1950). Arguments as of `reliability_bins`."""
    squares = np.nan_to_num((probabilities.astype(np.float64) - labels) ** 2).reshape(len(labels), -1).sum(axis=1)
    return SumStatistic(csr_array(vstack([csr_array(squares[None]), _counts(labels)])), _mean_absolute)


def _mean_absolute(sums: Sums) -> Sums:
    """Return the sum of the absolute values of all rows but the last over the last, which counts the labels."""
    total, count = np.abs(sums[:-1]).sum(axis=0), sums[-1]
    mean: Sums = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def _counts(labels: NDArray[np.floating]) -> csr_array:
    return csr_array((~np.isnan(labels)).reshape(len(labels), -1).sum(axis=1, dtype=np.float64)[None])


def _cases(labels: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the row of every label, of the shape of ``labels``."""
    return np.broadcast_to(np.arange(len(labels)).reshape(-1, *[1] * (labels.ndim - 1)), labels.shape)


def _bin_of(probabilities: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(np.searchsorted(edges, probabilities, side="right") - 1, 0, len(edges) - 2)
