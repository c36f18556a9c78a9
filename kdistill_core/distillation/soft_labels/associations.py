"""Which findings go together, as evidence for what a report leaves out.

A table of associations moves the log-odds of a condition by what the report asserts of others. How far is decided by
what it does to the likelihood of conditions that are mentioned: not at all where it does not help for sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS
from kdistill_core.distillation.soft_labels.hierarchy import NO_FINDING, PAIRS

STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
_RESAMPLES = 1000


@dataclass(frozen=True)
class AssociationPrior:
    """How far a table of associations was trusted.

    strength: of the shift of log-odds, 0 where the table is not used. gain: of log-likelihood a mention at the best
    strength above 0, in nats, with its 95 % interval by patient. mentions: it was measured on.
    """

    strength: float
    gain: float
    low: float
    high: float
    mentions: int


def evidence(codes: NDArray[np.floating], table: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much more likely what a report asserts makes each condition, in nats [N, K].

    codes: [N, K]. table: [K, K], log p(B | A) / p(B) or log-odds at row A, column B; NaN says nothing. A condition is
    no evidence for itself, for its parents and children, which logic decides, nor for No Finding.
    """
    usable = np.nan_to_num(np.asarray(table, dtype=np.float64))
    usable[np.diag_indices(len(CONDITIONS))] = 0
    for child, parent in PAIRS:
        usable[child, parent] = usable[parent, child] = 0
    usable[NO_FINDING], usable[:, NO_FINDING] = 0, 0
    moved: NDArray[np.float64] = (codes == 1).astype(np.float64) @ usable
    return moved


def fit_strength(
    log_odds: NDArray[np.float64],
    labels: NDArray[np.float64],
    moved: NDArray[np.float64],
    groups: NDArray[np.int64],
    seed: int = 0,
) -> AssociationPrior:
    """Return the strength at which ``moved`` helps most to tell mentioned conditions apart; 0 where it may not help.

    log_odds: [N, K], calibrated and out of fold. labels: [N, K] of 1, 0 or NaN. moved: [N, K], centered. groups:
    int64 [N]. A strength is taken only where the lower end of its gain's 95 % interval is above 0.
    """
    known = ~np.isnan(labels) & ~np.isnan(log_odds)
    sign = np.where(labels == 1, 1.0, -1.0)
    before = _log_likelihood(sign * log_odds, known)
    gains = {
        strength: _log_likelihood(sign * (log_odds + strength * moved), known) - before
        for strength in STRENGTHS
        if strength
    }
    best = max(gains, key=lambda strength: float(gains[strength].sum()))
    mentions = int(known.sum())
    gain, low, high = _mean_interval(gains[best], known.sum(axis=1), groups, seed)
    return AssociationPrior(best if low > 0 else 0.0, gain, low, high, mentions)


def centered(moved: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``moved`` [N, K] less its mean over each condition's mentions, which calibration has seen already."""
    known = ~np.isnan(labels)
    means = np.where(known, moved, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.asarray(moved - means)


def cooccurrence_log_odds(present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log odds ratio of every two conditions, float64 [K, K], NaN on the diagonal; half a case added a cell.

    present: bool [N, K] (Haldane 1956 and Anscombe 1956 for the half).
    """
    there = present.astype(np.float64)
    cells = (there.T @ there, there.T @ (1 - there), (1 - there).T @ there, (1 - there).T @ (1 - there))
    both, first, second, neither = (cell + 0.5 for cell in cells)
    table: NDArray[np.float64] = np.log(both) + np.log(neither) - np.log(first) - np.log(second)
    np.fill_diagonal(table, np.nan)
    return table


def _log_likelihood(margin: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log-likelihood of each case's known labels, [N]."""
    each = -np.logaddexp(0, -np.where(known, margin, 0))
    return np.asarray(np.where(known, each, 0).sum(axis=1), dtype=np.float64)


def _mean_interval(
    sums: NDArray[np.float64], counts: NDArray[np.int64], groups: NDArray[np.int64], seed: int
) -> tuple[float, float, float]:
    patient = np.unique(groups, return_inverse=True)[1]
    total, count = np.bincount(patient, sums), np.bincount(patient, counts)
    rng = np.random.default_rng(seed)
    drawn = np.empty(_RESAMPLES)
    for place in range(_RESAMPLES):
        chosen = rng.integers(len(total), size=len(total))
        drawn[place] = total[chosen].sum() / max(count[chosen].sum(), 1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(total.sum() / max(count.sum(), 1)), float(low), float(high)
