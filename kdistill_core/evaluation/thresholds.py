"""Thresholds for all conditions together, since what is called present decides No Finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.evaluation.classification import best_threshold
from kdistill_core.evaluation.generation import counts, macro_f1, micro_f1
from kdistill_core.labeling import IMPLIED

_AT = {condition: index for index, condition in enumerate(CONDITIONS)}
_CANDIDATES = 24
_SWEEPS = 2


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Calibrated probabilities and labels [n, 14] of one data set's validation cases, in the order of CONDITIONS."""

    probabilities: NDArray[np.floating]
    labels: NDArray[np.floating]


def decide(probabilities: NDArray[np.floating], thresholds: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return bool [n, 14]: above threshold or implied by what is; No Finding where nothing but a device is present."""
    present = probabilities >= thresholds
    present[:, _AT[Condition.NO_FINDING]] = False
    for child, parents in IMPLIED.items():
        for parent in parents:
            present[:, _AT[parent]] |= present[:, _AT[child]]
    abnormal = np.delete(present, [_AT[Condition.SUPPORT_DEVICES], _AT[Condition.NO_FINDING]], axis=1)
    present[:, _AT[Condition.NO_FINDING]] = ~abnormal.any(axis=1)
    return present


def choose_thresholds(sets: Sequence[HeldOut]) -> NDArray[np.float64]:
    """Return one threshold a condition, float64 [14], for the best mean of micro and macro F1 over the data sets.

    Starts from each condition's own best F1 and then moves one at a time. No Finding, which follows from the others,
    keeps its own best.
    """
    pooled = np.concatenate([held.probabilities for held in sets]).astype(np.float64)
    labels = np.concatenate([held.labels for held in sets])
    thresholds = np.array([best_threshold(pooled[:, k], labels[:, k]) for k in range(len(CONDITIONS))])
    best = _score(sets, thresholds)
    for _ in range(_SWEEPS):
        for condition in CONDITIONS:
            if condition is Condition.NO_FINDING:
                continue
            column = pooled[:, _AT[condition]]
            for candidate in np.unique(np.quantile(column, np.linspace(0.3, 0.999, _CANDIDATES))):
                trial = thresholds.copy()
                trial[_AT[condition]] = np.clip(candidate, 0.01, 0.99)
                score = _score(sets, trial)
                if score > best:
                    thresholds, best = trial, score
    return thresholds


def _score(sets: Sequence[HeldOut], thresholds: NDArray[np.float64]) -> float:
    tallies = [counts(decide(held.probabilities, thresholds), held.labels) for held in sets]
    return float(np.mean([(micro_f1(tally) + macro_f1(tally)) / 2 for tally in tallies]))
