"""Scores that follow from sums over cases (counts, means, n-gram statistics), with bootstrap intervals by patient.

Patients are drawn, not cases. A draw is a number of copies of each patient, so the sums of all draws are one matrix
product and no case is visited twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kdistill_core.evaluation.errors import EvaluationError
from kdistill_core.evaluation.resampling import Interval
from kdistill_core.evaluation.scores import Score

Floats = NDArray[np.float64]
LEVEL = 0.95
# Numbers of copies held at a time: 32 MB.
_HELD = 1 << 22


@dataclass(frozen=True, eq=False)
class Measure:
    """A score before it is computed.

    score: everything but its value and interval. contributions: float64 [n, S], what each case adds. formula: from sums
    float64 [..., S] to values float64 [...], NaN where undefined.
    """

    score: Score
    contributions: Floats
    formula: Callable[[Floats], Floats]


def compute(measures: Sequence[Measure], groups: Sequence[str], resamples: int, seed: int) -> tuple[Score, ...]:
    """Return every score with its value and percentile interval, all over the same draws.

    groups: the patient of each case. Draws in which a score is undefined are left out of its interval, whose
    ``resamples`` counts the rest. Raises EvaluationError for no case.
    """
    if not groups:
        raise EvaluationError("There is no case to score.", "Check the data folder and the split.")
    if not measures:
        return ()
    table, columns = _side_by_side([measure.contributions for measure in measures])
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    by_patient = np.zeros((len(names), table.shape[1]))
    np.add.at(by_patient, member, table)
    parts = [copies @ by_patient for copies in patient_copies(len(names), resamples, seed)]
    drawn = np.concatenate(parts) if parts else np.empty((0, table.shape[1]))
    whole = by_patient.sum(0)
    scores = []
    for measure in measures:
        at = columns[id(measure.contributions)]
        value = float(measure.formula(whole[at]))
        values = measure.formula(drawn[:, at])
        interval = _interval(value, values[~np.isnan(values)], len(groups), len(names))
        scores.append(replace(measure.score, value=None if np.isnan(value) else value, interval=interval))
    return tuple(scores)


def mean_of(values: Floats) -> Floats:
    """Return the contributions float64 [n, 2] whose :func:`ratio` is the mean of ``values`` [n]; NaN is left out."""
    known = ~np.isnan(values)
    return np.stack([np.where(known, values, 0.0), known.astype(np.float64)], axis=1)


def ratio(sums: Floats) -> Floats:
    """Return sums[..., 0] / sums[..., 1], NaN where the latter is 0."""
    return divide(sums[..., 0], sums[..., 1])


def divide(over: Floats, under: Floats) -> Floats:
    """Return ``over / under``, NaN where ``under`` is 0."""
    nan = np.full(np.broadcast_shapes(np.shape(over), np.shape(under)), np.nan)
    return np.divide(over, under, out=nan, where=under != 0)


def patient_copies(patients: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield float64 [draws, patients]: how often each patient is drawn when as many are drawn with replacement.

    Together the parts hold ``resamples`` draws.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, _HELD // patients)
    for start in range(0, resamples, at_once):
        draws = min(at_once, resamples - start)
        chosen = rng.integers(patients, size=(draws, patients)) + np.arange(draws)[:, None] * patients
        yield np.bincount(chosen.ravel(), minlength=draws * patients).reshape(draws, patients).astype(np.float64)


def _side_by_side(blocks: Sequence[Floats]) -> tuple[Floats, dict[int, slice]]:
    """Return all blocks as one matrix, each once, and where the block of each ``id`` stands in it."""
    once = {id(block): block for block in blocks}
    columns, start = {}, 0
    for key, block in once.items():
        columns[key] = slice(start, start + block.shape[1])
        start += block.shape[1]
    return np.concatenate(list(once.values()), axis=1), columns


def _interval(value: float, drawn: Floats, n: int, groups: int) -> Interval | None:
    if np.isnan(value) or not drawn.size:
        return None
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), n=n, groups=groups, resamples=int(drawn.size), level=LEVEL)
