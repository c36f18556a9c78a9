"""Thresholds for all conditions together, since what is called present decides No Finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdistill_core.conditions import CONDITIONS, FINDING_CONDITIONS, Condition
from kdistill_core.evaluation.classification import best_threshold
from kdistill_core.evaluation.generation import counts, macro_f1, micro_f1
from kdistill_core.labeling import IMPLIED

_AT = {condition: index for index, condition in enumerate(CONDITIONS)}
_GRID = np.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7])
_SWEEPS = 2
# Weights of micro and macro F1. Found, like the coarse grid, by four-fold cross-validation over the patients of the
# demo student's validation cases: finer grids and an even mean fit the noise of the rare conditions.
_MICRO, _MACRO = 0.75, 0.25


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
    """Return one threshold a condition, float64 [14], for the best F1 averaged over the data sets.

    Starts from the best threshold common to all, which is what micro F1 of calibrated probabilities asks for (Lipton et
    al., ECML 2014), and then moves one condition at a time. No Finding, which follows from the others, keeps its own
    best.
    """
    common = max(_GRID, key=lambda threshold: _score(sets, np.full(len(CONDITIONS), threshold)))
    thresholds = np.full(len(CONDITIONS), float(common))
    best = _score(sets, thresholds)
    for _ in range(_SWEEPS):
        for condition in FINDING_CONDITIONS:
            for candidate in _GRID:
                trial = thresholds.copy()
                trial[_AT[condition]] = candidate
                score = _score(sets, trial)
                if score > best:
                    thresholds, best = trial, score
    normal = _AT[Condition.NO_FINDING]
    chances = np.concatenate([held.probabilities[:, normal] for held in sets])
    thresholds[normal] = best_threshold(chances, np.concatenate([held.labels[:, normal] for held in sets]))
    return thresholds


def _score(sets: Sequence[HeldOut], thresholds: NDArray[np.float64]) -> float:
    tallies = [counts(decide(held.probabilities, thresholds), held.labels) for held in sets]
    return float(np.mean([_MICRO * micro_f1(tally) + _MACRO * macro_f1(tally) for tally in tallies]))
